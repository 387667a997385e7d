"""`DeleteBranch` on the running environment: planned, refused without people, and its step out of everybody's reach."""

import json
import subprocess

import pytest

from tests.stack.running import Running, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

BRANCH = "banksman/old-idea"


def asked(branch: str = BRANCH) -> str:
    return json.dumps({"repository": "acme/shop", "branch": branch})


def head(stack: Running, branch: str = BRANCH) -> str:
    """Where the branch stands in the real repository behind the twin."""
    bare = stack.home / "repositories" / "acme" / "shop.git"
    line = ["git", "-C", str(bare), "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def test_a_branch_that_is_not_there_is_named(stack: Running, goal_id: str) -> None:
    done = stack.banksman("run", "DeleteBranch", "--input", asked("no/such"), "--id", goal_id, "--wait", "--json")
    ended = json.loads(done.stdout)
    assert ended["outcome"] == "failed"
    assert "has no branch 'no/such'" in ended["error"]


def test_the_destructive_step_started_by_hand_is_refused(stack: Running, goal_id: str) -> None:
    before = head(stack)
    assert before
    request = json.dumps({"plan": "{}", "decisions": []})
    line = ["activity", "start", "--type", "github.delete_branch", "--task-queue", "banksman-destructive"]
    line += ["--activity-id", goal_id, "--input", request, "--start-to-close-timeout", "20s"]
    stack.temporal(*line)
    audit = stack.home / "audit" / "destructive.jsonl"
    eventually(lambda: audit.exists() and "standalone" in audit.read_text(), what="the refusal")
    assert head(stack) == before


def test_the_destructive_worker_is_a_process_of_its_own(stack: Running) -> None:
    told = {one["name"]: one for one in json.loads(stack.banksman("status", "--json").stdout)["children"]}
    assert told["worker-destructive"]["state"] == "ready"
    assert stack.state["workers"]["destructive"]["pid"] not in {
        stack.state["workers"][role]["pid"] for role in ("goals", "connectors")
    }
