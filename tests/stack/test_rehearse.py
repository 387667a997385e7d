"""A rehearsal beside the running environment: nothing of it is touched, and the real run does what was listed."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.hitl.plan_language.planning import plan_of
from tests.stack.approving import Approver
from tests.stack.running import Running
from workflows.repository.goals import OpenPullRequestInput

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

BRANCH = "feature/to-be-rehearsed"
ASKED = json.dumps({"repository": "acme/shop", "branch": BRANCH})
BESIDE_THE_API = ("/app/installations/", "/installation/token", "/git-upload-pack")
"""A token that is made and given back, and git's way of reading, are posted and change nothing."""


def git(stack: Running, *arguments: str) -> str:
    bare = stack.home / "repositories" / "acme" / "shop.git"
    line = ["git", "-C", str(bare), "-c", "user.name=Mallory", "-c", "user.email=mallory@example.com", *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def refs(stack: Running) -> str:
    return git(stack, "for-each-ref", "refs/heads", "refs/tags")


def commit(stack: Running, parent: str) -> None:
    """One more commit on the branch."""
    made = git(stack, "commit-tree", "HEAD^{tree}", "-p", parent, "-m", "An idea")
    git(stack, "update-ref", f"refs/heads/{BRANCH}", made)


def audited(stack: Running) -> list[dict[str, Any]]:
    files = (stack.home / "audit").glob("*.jsonl")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def effects_since(stack: Running, before: list[dict[str, Any]]) -> list[str]:
    """Steps that changed something, but those that end what earlier goals held: they run when its time has come."""
    new = [one for one in audited(stack) if one not in before and one["workflow_type"] not in _ENDING]
    return [one["action"] for one in new if one["effect"] != "read" and one["role"] != "gateway"]


_ENDING = ("Lease", "ReconcileLeases")


def rehearsed(stack: Running, goal_id: str) -> dict[str, Any]:
    done = stack.banksman("rehearse", "DeleteBranch", "--input", ASKED, "--id", goal_id, "--json", seconds=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run(stack: Running, goal_id: str, file: str) -> dict[str, Any]:
    """For real, approved by Alice."""
    words = ("run", "DeleteBranch", "--input", ASKED, "--id", goal_id, "--rehearsal", file, "--wait", "--json")
    with ThreadPoolExecutor() as beside:
        ending = beside.submit(stack.banksman, *words, seconds=200)
        done = Approver(stack, goal_id).approve_until(ending)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def surprises(stack: Running, goal_id: str) -> list[str]:
    found = [one for one in audited(stack) if one["action"] == "approval.report_surprise"]
    return [one["context"]["resource"] for one in found if one["workflow_id"] == goal_id and one["event"] == "allowed"]


def test_a_rehearsal_only_reads_and_the_real_run_does_what_it_listed_or_says_so(stack: Running, goal_id: str) -> None:
    commit(stack, "HEAD")
    before, known = refs(stack), audited(stack)
    stack.forget_requests()

    found = rehearsed(stack, goal_id)
    asked = stack.requests("/")
    changing = [
        one["path"] for one in asked if one["method"] != "GET" and not any(x in one["path"] for x in BESIDE_THE_API)
    ]
    assert (changing, refs(stack)) == ([], before)
    assert any("git-upload-pack" in one["path"] for one in asked)
    assert effects_since(stack, known) == []
    (effect,) = found["rehearsal"]["effects"]
    assert effect["action"] == "github.delete_branch"
    assert f"delete git branch acme/shop {BRANCH}" in effect["on"]
    assert found["rehearsal"]["copied"][0].startswith("github acme/shop: ")

    commit(stack, f"refs/heads/{BRANCH}")
    moved = run(stack, f"{goal_id}-moved", found["file"])
    assert moved["outcome"] == "completed"
    (surprise,) = surprises(stack, f"{goal_id}-moved")
    assert surprise.startswith("github.delete_branch: ")
    assert BRANCH not in refs(stack)

    git(stack, "update-ref", f"refs/heads/{BRANCH}", effect["on"][2].removeprefix("expected_head "))
    assert run(stack, goal_id, found["file"])["outcome"] == "completed"
    assert surprises(stack, goal_id) == []
    assert BRANCH not in refs(stack)


def planned(goal_id: str) -> dict[str, Any]:
    """A plan whose second goal reads what the first one makes: the branch of its pull request."""
    files = [{"path": "COPY.md", "content": "copied\n"}]
    opens = OpenPullRequestInput.model_validate({"repository": "acme/shop", "title": "Copy it", "files": files})
    branch = opens.branch(f"{goal_id}/act/copy")
    look = {"repository": "acme/shop", "path": "COPY.md", "ref": branch}
    act = [
        {"id": "copy", "goal": "OpenPullRequest", "inputs": opens.model_dump(mode="json", exclude_unset=True)},
        {"id": "look", "goal": "ReadFile", "inputs": look},
        {"id": "gpus", "goal": "InspectGpus", "inputs": {}},
    ]
    return {"plan": plan_of(title="Copy it", explore=[], act=act)}


def test_a_plan_is_rehearsed_in_one_room_and_its_real_run_has_no_surprise(
    stack: Running, goal_id: str, tmp_path: Path
) -> None:
    given = tmp_path / "plan.json"
    given.write_text(json.dumps(planned(goal_id)), encoding="utf-8")
    before, known = refs(stack), audited(stack)
    words = ("--input", f"@{given}", "--id", goal_id)
    done = stack.banksman("rehearse", "RunPlan", *words, "--json", seconds=200)
    assert done.returncode == 0, done.stderr
    assert (refs(stack), effects_since(stack, known)) == (before, [])
    found = json.loads(done.stdout)
    steps = [(one["id"], one["effects"], one["why"]) for one in found["rehearsal"]["steps"]]
    unread = "InspectGpus reaches what is not copied for a rehearsal"
    assert steps == [("copy", 2, None), ("look", 0, None), ("gpus", 0, unread)]

    line = ("run", "RunPlan", *words, "--rehearsal", found["file"], "--wait", "--json")
    with ThreadPoolExecutor() as beside:
        ran = Approver(stack, goal_id).approve_until(beside.submit(stack.banksman, *line, seconds=200))
    assert json.loads(ran.stdout)["result"]["outcome"] == "completed", ran.stderr
    assert [surprises(stack, one) for one in (goal_id, f"{goal_id}/act/copy")] == [[], []]


def test_a_rehearsal_that_somebody_wrote_into_is_refused_before_anything_runs(stack: Running, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    document: dict[str, Any] = {"kind": "banksman-rehearsal/1", "goal": "DeleteBranch", "of": "sha256:" + "a" * 64}
    document |= {"made_at": "2026-01-01T00:00:00Z", "copied": [], "effects": [], "milliseconds": 1}
    file.write_text(json.dumps({**document, "digest": "sha256:" + "b" * 64}))
    done = stack.banksman("run", "DeleteBranch", "--input", ASKED, "--rehearsal", str(file))
    assert done.returncode == 2
    assert "not as it was made" in done.stderr
