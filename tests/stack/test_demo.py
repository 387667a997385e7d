"""`make demo`, as often as one likes, in whatever state an earlier one left the environment."""

import json
import subprocess

import pytest

from tests.stack.running import ROOT, Running, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(500)]

_FAILURES = ("Traceback", "error", "make:")
_MOST_LINES = 28


def make(running: Running, *settings: str) -> "subprocess.CompletedProcess[str]":
    kept = {key: value for key, value in running.environment.items() if not key.startswith(("MAKE", "MFLAGS"))}
    line = ["make", "--no-print-directory", "-o", "install", "demo", *settings]
    return subprocess.run(line, env=kept, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def demo(running: Running, *settings: str) -> str:
    """What it prints, after it ended well."""
    done = make(running, *settings)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert [word for word in _FAILURES if word in said] == []
    assert len(said.splitlines()) <= _MOST_LINES, said
    return said


def without_the_branch(running: Running) -> list[str]:
    bare = str(running.home / "repositories" / "acme" / "shop.git")
    return ["git", "-C", bare, "update-ref", "-d", "refs/heads/banksman/old-idea"]


def waiting(running: Running) -> list[str]:
    """The goals that wait for a person."""
    return [one["goal"] for one in json.loads(running.banksman("approvals", "--json").stdout)]


def test_it_can_be_repeated_in_any_state(bare: Running) -> None:
    """Nobody uses the environment after this: a demonstration starts it again as a person would who had never been."""
    running = bare
    for goal in waiting(running):
        assert running.temporal("workflow", "cancel", "--workflow-id", goal).returncode == 0
    eventually(lambda: not waiting(running), what="the end of what others asked for")

    said = demo(running, "APPROVE=auto")
    assert "the branch is gone" in said
    assert "Nobody is waited for" in said

    said = demo(running)
    assert "waits for a person's yes: delete-branch/acme/shop/banksman/old-idea" in said
    assert "Left out: DeployNewFeature" in said
    assert "--no-sandbox" in said
    assert "1 approval waits" in said

    # The branch goes behind the back of the goal that waits.
    subprocess.run(without_the_branch(running), check=True)
    said = demo(running)
    assert "still, since an earlier demonstration: waits for a person's yes" in said
    assert "1 approval waits" in said

    assert running.banksman("down", seconds=120).returncode == 0
    said = demo(running, "APPROVE=auto")
    assert "is up after" in said
    assert "the branch is gone" in said
    assert "1 approval waits" in said


def test_what_is_wrong_is_one_sentence(stack: Running) -> None:
    policy = stack.home.parent / "policy.yaml"
    kept = policy.read_text()
    policy.write_text(kept.replace("phase: production", "phase: read_only"))
    try:
        done = make(stack, "APPROVE=auto")
    finally:
        policy.write_text(kept)
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert len(said) == 1
    assert said[0].startswith("error: DeleteBranch ended as denied: ")
