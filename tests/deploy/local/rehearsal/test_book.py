"""A goal's own list against the guard's book."""

from pathlib import Path

import pytest

from activities.guard.audit import AuditEvent, AuditLog
from deploy.local.rehearsal.book import BookDiffers, records, with_book
from hitl.approval.rehearsal import RehearsedEffect
from hitl.protocol import Effect, Phase

GOAL = "delete-branch/acme/shop/old"
TOLD = (
    RehearsedEffect(action="github.commit_files", on=("branch a",)),
    RehearsedEffect(action="github.commit_files", on=("branch b",)),
)


def write(folder: Path, *events: tuple[str, str], workflow_id: str = GOAL, role: str = "connectors") -> None:
    log = AuditLog(folder / f"{role}.jsonl")
    for took, (action, event) in enumerate(events, start=1):
        log.append(
            AuditEvent.model_validate(
                {
                    "event": event,
                    "duration_ms": took if event == "finished" else None,
                    "environment": "local",
                    "role": role,
                    "action": action,
                    "effect": Effect.READ if "look" in action else Effect.WRITE,
                    "phase": Phase.PRODUCTION,
                    "workflow_id": workflow_id,
                    "workflow_type": "DeleteBranch",
                    "run_id": "r",
                    "activity_id": "1",
                    "attempt": 1,
                    "context": {"provider": "github", "resource": "a"},
                }
            )
        )
    log.close()


def test_each_has_the_time_that_the_guard_saw(tmp_path: Path) -> None:
    commit = "github.commit_files"
    write(tmp_path, (commit, "allowed"), (commit, "finished"), (commit, "allowed"), (commit, "finished"))
    found = with_book(TOLD, records(tmp_path), workflow_id=GOAL)
    assert [one.milliseconds for one in found] == [2, 4]
    assert [one.identity for one in found] == [one.identity for one in TOLD]


def test_what_the_goal_does_not_tell_fails_the_rehearsal(tmp_path: Path) -> None:
    write(tmp_path, ("github.delete_branch", "allowed"))
    with pytest.raises(BookDiffers, match=r"does not tell: github\.delete_branch"):
        with_book(TOLD, records(tmp_path), workflow_id=GOAL)


def test_what_reads_asks_or_tells_people_is_no_effect(tmp_path: Path) -> None:
    write(tmp_path, ("github.look_at_branch", "allowed"), ("approval.allow_surprise", "allowed"))
    write(tmp_path, ("slack.post_approval", "allowed"), role="gateway")
    write(tmp_path, ("github.merge_pull_request", "denied"), role="destructive")
    assert with_book((), records(tmp_path), workflow_id=GOAL) == ()


def test_what_a_workflow_of_its_own_did_is_listed_too(tmp_path: Path) -> None:
    write(tmp_path, ("lambdalabs.end_instance", "allowed"), workflow_id="lease/x")
    (found,) = with_book((), records(tmp_path), workflow_id=GOAL)
    assert (found.action, found.on) == ("lambdalabs.end_instance", ("by DeleteBranch", "resource a"))


def test_what_a_workflow_does_that_was_there_before_the_goal_is_not_the_goals(tmp_path: Path) -> None:
    write(tmp_path, ("neon.delete_branch", "allowed"), workflow_id="lease/of-an-earlier-goal")
    write(tmp_path, ("neon.create_branch", "allowed"), workflow_id="lease/of-this-one", role="sandbox")
    found = with_book((), records(tmp_path), workflow_id=GOAL, before={"lease/of-an-earlier-goal"})
    assert [one.action for one in found] == ["neon.create_branch"]
