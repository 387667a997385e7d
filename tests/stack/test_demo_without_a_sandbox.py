"""`make demo` where there is no container engine: what it shows then, and that it can be repeated in any state."""

import json
import subprocess

import pytest

from tests.stack.running import Running, eventually
from tests.stack.test_demo import IN_WORDS, Making, demo
from tests.stack.test_stacks import FIRST_TIME

pytestmark = [pytest.mark.stack, pytest.mark.timeout(FIRST_TIME + 900)]


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
    assert [words for words in (*IN_WORDS, "it is taken back") if words not in said] == []
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
    assert [words for words in IN_WORDS if words not in said] == []
    assert "1 approval waits" in said
    assert bare.banksman("down", seconds=120).returncode == 0
    again = Making(bare, "APPROVE=auto", "FAIL=tests")  # now it has a sandbox, where there can be one
    ended = again.end()
    assert "is up after" in again.said
    assert ("nobody was asked" if ended == 0 else "FAIL=tests cannot be shown, because ") in again.said, again.said


def _waiting(running: Running) -> list[str]:
    """The goals that wait for a person."""
    return [one["goal"] for one in json.loads(running.banksman("approvals", "--json").stdout)]
