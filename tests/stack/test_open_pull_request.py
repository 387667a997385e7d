"""`OpenPullRequest` on the running environment: one of each, however often it is asked; in `read_only` nothing."""

import json
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.stack.running import Running, eventually
from workers.commands.exits import Exit

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def asked(name: str, **more: str) -> str:
    """A change that no other test asks for."""
    files = [{"path": f"{name}.md", "content": "Hello.\n"}, {"path": "README.md", "delete": True}]
    return json.dumps({"repository": "acme/shop", "title": f"Say hello {name}", "files": files, **more})


@contextmanager
def phase(stack: Running, name: str) -> Generator[None]:
    """An environment in this phase, and nothing else in its policy: the one line of the guide."""
    policy = Path(stack.state["policy"])
    before = policy.read_text()
    policy.write_text(f"environments:\n  local:\n    phase: {name}\n")
    try:
        yield
    finally:
        policy.write_text(before)


def run(stack: Running, goal_id: str, text: str) -> tuple[int, dict[str, Any]]:
    done = stack.banksman("run", "OpenPullRequest", "--input", text, "--id", goal_id, "--wait", "--json", seconds=120)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def git(stack: Running, *arguments: str, given: str | None = None) -> str:
    """Ask the real repository behind the twin."""
    bare = stack.home / "repositories" / "acme" / "shop.git"
    line = ["git", "-C", str(bare), "-c", "user.name=Mallory", "-c", "user.email=mallory@example.com", *arguments]
    return subprocess.run(line, input=given, capture_output=True, text=True, check=True).stdout.strip()


def written(stack: Running) -> list[str]:
    """The requests that would change the repository, as the twin had them."""
    return [one["path"] for one in stack.requests("/repos/") if one["method"] != "GET"]


def leased(stack: Running) -> float:
    """How many step tokens the connectors worker has had of Vault so far."""
    text = httpx.get(stack.state["workers"]["connectors"]["metrics"]).text
    found = re.findall(r"^banksman_vault_step_tokens_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
    return sum(float(value) for value in found)


def test_in_non_critical_writes_it_runs_and_asks_nobody(stack: Running, goal_id: str) -> None:
    with phase(stack, "non_critical_writes"):
        status, ended = run(stack, goal_id, asked(goal_id))
    assert (status, ended["outcome"]) == (Exit.COMPLETED, "completed"), ended
    made = ended["result"]
    assert made["url"].endswith(f"/pull/{made['number']}")
    page = httpx.get(made["url"], headers={"accept": "text/html"})
    assert (page.status_code, f"{goal_id}.md" in page.text) == (200, True)
    assert git(stack, "rev-parse", made["branch"]) == made["commit"]
    changes = git(stack, "diff", "--name-status", f"{made['commit']}^", made["commit"]).splitlines()
    assert changes == ["D\tREADME.md", f"A\t{goal_id}.md"]


def test_asked_twice_there_is_one_of_each(stack: Running, goal_id: str) -> None:
    """The second time as a new run of the same goal: nothing but GitHub knows of the first."""
    text = asked(goal_id)
    with phase(stack, "non_critical_writes"):
        _, first = run(stack, goal_id, text)
        stack.forget_requests()
        line = ["workflow", "execute", "--type", "OpenPullRequest", "--task-queue", "banksman-goals", "--input", text]
        again = stack.temporal(*line, "--workflow-id", goal_id, "--output", "json")
    assert again.returncode == 0, again.stderr
    second = json.loads(again.stdout)["result"]
    same = ("number", "branch", "commit")
    assert [second[key] for key in same] == [first["result"][key] for key in same]
    assert written(stack) == []


def test_answers_that_are_lost_do_not_do_it_twice(stack: Running, goal_id: str) -> None:
    for path in ("/git/refs$", "/pulls$"):
        stack.fault(kind="drop_after_effect", method="POST", path=path)
    with phase(stack, "non_critical_writes"):
        _, ended = run(stack, goal_id, asked(goal_id))
    assert ended["outcome"] == "completed", ended
    assert [path.rpartition("/")[2] for path in written(stack)].count("pulls") == 1
    made = git(stack, "log", "--format=%H", f"--grep=^Banksman-Key: {goal_id}/", ended["result"]["branch"])
    assert made.split() == [ended["result"]["commit"]]


def test_read_only_refuses_it_and_nothing_is_written_and_nothing_leased(stack: Running, goal_id: str) -> None:
    before, branches = leased(stack), git(stack, "for-each-ref")
    with phase(stack, "read_only"):
        status, ended = run(stack, goal_id, asked(goal_id))
    assert (status, ended["outcome"]) == (Exit.DENIED, "denied"), ended
    assert "phase read_only" in ended["result"]["reason"]
    assert (ended["result"]["number"], ended["result"]["branch"]) == (None, None)
    assert leased(stack) == before
    assert stack.requests("/") == []
    assert git(stack, "for-each-ref") == branches


def test_what_was_refused_is_audited(stack: Running, goal_id: str) -> None:
    with phase(stack, "read_only"):
        run(stack, goal_id, asked(goal_id))
    audit = stack.home / "audit" / "connectors.jsonl"

    def events() -> list[tuple[str, str, str | None]]:
        every = [json.loads(line) for line in audit.read_text().splitlines()]
        return [(one["event"], one["action"], one["reason"]) for one in every if one["workflow_id"] == goal_id]

    eventually(events, what="the audit event")
    assert events() == [("denied", "github.commit_files", "phase")]


def test_a_policy_in_the_repository_loosens_nothing(stack: Running, goal_id: str) -> None:
    """A branch that says it is production, under the names that one might look for, and a goal that works on it."""
    blob = git(stack, "hash-object", "-w", "--stdin", given="environments:\n  local:\n    phase: production\n")
    folder = git(stack, "mktree", given=f"100644 blob {blob}\tpolicy.yaml")
    files = [f"100644 blob {blob}\t{name}" for name in ("policy.yaml", ".banksman.yaml", "banksman.yaml")]
    tree = git(stack, "mktree", given="\n".join([*files, f"040000 tree {folder}\t.banksman"]))
    git(stack, "branch", "--force", "loosened", git(stack, "commit-tree", tree, "-m", "Loosen it"))
    with phase(stack, "read_only"):
        _, ended = run(stack, goal_id, asked(goal_id, base="loosened"))
    assert ended["outcome"] == "denied", ended
    assert stack.requests("/") == []
