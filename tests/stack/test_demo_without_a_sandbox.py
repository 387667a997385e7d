"""`make demo` where there is no container engine: what it shows then, and that it can be repeated in any state."""

import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from deploy.local.models import asks_small_model
from tests.deploy.local.small_model.written import written_model
from tests.stack.running import Running, eventually
from tests.stack.test_demo import IN_WORDS, Making, demo, on_a_small_model
from tests.stack.test_stacks import FIRST_TIME

pytestmark = [pytest.mark.stack, pytest.mark.timeout(FIRST_TIME + 900)]


BRANCH: Final = "banksman/said-in-words"
PLAN: Final = {
    "schema": "banksman-goal-plan",
    "version": 1,
    "title": "Delete it",
    "explore": [],
    "act": [{"id": "delete", "goal": "DeleteBranch", "inputs": {"repository": "acme/shop", "branch": BRANCH}}],
}


def head(bare: Running) -> str:
    """Where the branch is that is asked about."""
    repository = str(bare.home / "repositories" / "acme" / "shop.git")
    words = ["git", "-C", repository, "for-each-ref", "--format=%(objectname)", f"refs/heads/{BRANCH}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def chapter(said: str) -> str:
    """What is said of the small model."""
    return said.partition("The same, planned by ")[2].partition("workflow http")[0]


def test_a_plan_that_the_small_model_happens_to_write_is_shown_and_rejected(bare: Running, tmp_path: Path) -> None:
    before = (bare.home / "models.yaml").read_text()
    boast, plan = "Of course! The branch is gone.", {"answer": "plan", "says": "It is gone.", "plan": PLAN}
    written_model(tmp_path / ".cache" / "banksman" / "tools", boast, plan)
    said = chapter(demo(bare, home=tmp_path).said)
    assert "Planned by small/smollm2-135m" in said
    assert "1. delete: DeleteBranch, which DESTROYS" in said
    assert "it wrote a plan that can be read: it is shown, and Alice rejects it" in said
    assert "rejected: " in said
    assert "it was asked 2 times, and may be asked 2 times; that cost $0.0000" in said
    assert "nothing was changed: all " in said
    assert head(bare)
    assert (bare.home / "models.yaml").read_text() == before
    assert not asks_small_model(before)


def test_without_a_sandbox_it_shows_what_there_is_and_can_be_repeated(bare: Running) -> None:
    """Nobody uses the environment after this: a demonstration starts it again as a person would who had never been."""
    for goal in _waiting(bare):
        assert bare.temporal("workflow", "cancel", "--workflow-id", goal).returncode == 0
    eventually(lambda: not _waiting(bare), what="the end of what others asked for")
    said = demo(bare).said
    assert "waits for a person's yes: delete-branch/acme/shop/banksman/old-idea" in said
    assert "Left out: DeployNewFeature" in said
    assert "--no-sandbox" in said
    assert "1 approval waits" in said
    assert [words for words in (*IN_WORDS, *on_a_small_model(), "it is taken back") if words not in said] == []
    # The branch goes behind the back of the goal that waits.
    repository = str(bare.home / "repositories" / "acme" / "shop.git")
    subprocess.run(["git", "-C", repository, "update-ref", "-d", "refs/heads/banksman/old-idea"], check=True)
    assert "still, since an earlier demonstration: waits for a person's yes" in demo(bare).said
    failed = Making(bare, "FAIL=tests")
    assert failed.end() != 0
    assert "FAIL=tests cannot be shown, because " in failed.said
    said = demo(bare, "APPROVE=auto").said
    assert "the branch is gone" in said
    assert "Alice approved the plan, and then the deletion itself; completed" in said
    assert [words for words in (*IN_WORDS, *on_a_small_model()) if words not in said] == []
    assert "1 approval waits" in said
    assert bare.banksman("down", seconds=120).returncode == 0
    again = Making(bare, "APPROVE=auto", "FAIL=tests")  # now it has a sandbox, where there can be one
    ended = again.end()
    assert "is up after" in again.said
    assert ("nobody was asked" if ended == 0 else "FAIL=tests cannot be shown, because ") in again.said, again.said


def _waiting(running: Running) -> list[str]:
    """The goals that wait for a person."""
    return [one["goal"] for one in json.loads(running.banksman("approvals", "--json").stdout)]
