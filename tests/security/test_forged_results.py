"""Somebody takes a destructive step from its queue and says that it is done: goals look before they tell people."""

import contextlib
import secrets
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.github.contracts import BranchDeleted, BranchSeen
from activities.guard.error_types import ErrorType, application_error
from activities.pulumi.contracts import DriftSeen, LockSeen, StackChanged, StackOutputs, StackRestored, StackUnlocked
from activities.queues import TaskQueue
from connectors.pulumi.changes import ChangeKind
from connectors.pulumi.outcome import Ended, ResourceChange, UpOutcome
from tests.replay.approvals import DELETED, GONE, Asking, at_work, start_asking
from tests.security.stealing import approve
from tests.workflows.approval.approving import House
from tests.workflows.pulumi.stacking import (
    ACTIONS,
    DESTROY,
    DIGEST,
    NO_DRIFT,
    PREVIEWED,
    RESTORE,
    UNLOCK,
    UP,
    URN,
    Stack,
    StackSessions,
    plan,
)
from tests.workflows.scripted import SEEN
from workflows.contracts import GoalInput, State

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORGED = BranchDeleted(head="f" * 40)
MOVED = SEEN.model_copy(update={"head": "a" * 40})
MISSING = NO_DRIFT.model_copy(update={"missing": 1})
Run = WorkflowHandle[Any, Any]


async def nothing(house: House, goal: Run, approval: str) -> None:
    """Nobody does anything by itself."""
    del house, goal, approval


def deletion(said: BranchDeleted, *, seen: tuple[BranchSeen, ...]) -> Asking:
    """Of a branch that is seen so, before and after it."""
    name = f"forged-{secrets.token_hex(4)}"
    return Asking(name, State.APPROVED, nothing, deleted=(said,), seen=seen, gateway=True)


async def doubted(goal: Run) -> str:
    with pytest.raises(WorkflowFailureError) as caught:
        await goal.result()
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorType.OUTCOME_UNKNOWN
    return str(cause)


@contextlib.asynccontextmanager
async def approved(house: House, asking: Asking) -> AsyncGenerator[Run]:
    async with at_work(house, asking):
        goal = await start_asking(house, asking)
        await approve(house, await house.approval_of(goal))
        yield goal


@pytest.mark.parametrize("said", [FORGED, DELETED], ids=["another head", "the head that was approved"])
@pytest.mark.parametrize("moved", [False, True], ids=["where it was", "where somebody pushed it meanwhile"])
async def test_a_branch_that_stands_is_not_deleted_whatever_is_said(
    house: House, said: BranchDeleted, *, moved: bool
) -> None:
    after = MOVED if moved else SEEN
    async with approved(house, deletion(said, seen=(SEEN, after))) as goal:
        assert f"stands at {after.head}: either it was never deleted, or" in await doubted(goal)
        assert [one.partition(":")[0] for one in await house.told(goal)] == ["in doubt"]


async def test_people_hear_that_it_is_done_after_somebody_looked(house: House) -> None:
    async with approved(house, deletion(DELETED, seen=(SEEN, GONE))) as goal:
        assert (await goal.result())["outcome"] == "completed"
        assert await house.told(goal) == ["carried out"]
        events = (await goal.fetch_history()).events
        looks = [
            one.event_id
            for one in events
            if one.activity_task_scheduled_event_attributes.activity_type.name == "github.look_at_branch"
        ]
        ends = [
            one.event_id
            for one in events
            if "/ended/" in one.start_child_workflow_execution_initiated_event_attributes.workflow_id
        ]
    assert len(looks) == 2
    assert max(looks) < min(ends)


OF_DESTROY = PREVIEWED.model_copy(update={"plan": plan(ACTIONS[1])})
OF_RESTORE = PREVIEWED.model_copy(update={"plan": plan(ACTIONS[3])})
HELD = LockSeen(owners=("run-1",))
OTHERWISE = StackOutputs(state="9" * 64, otherwise=1)
REFUSED = StackChanged(outcome=UpOutcome(ended=Ended.REFUSED, errors=("the policy pack refuses it",)))
PARTLY = StackChanged(
    outcome=UpOutcome(
        ended=Ended.PARTIALLY_APPLIED, done=(ResourceChange(urn=URN, change=ChangeKind.CREATE),), errors=("no",)
    )
)
NOT_BACK = StackRestored(ended=Ended.REFUSED, replaced=DIGEST, said="error: it is broken")
NOT_TAKEN = StackUnlocked(released=False, owners=("run-1",))


@pytest.mark.parametrize(
    ("workflow", "request_", "action", "stack", "said"),
    [
        ("PreviewAndUp", UP, ACTIONS[0], Stack(changed=[REFUSED], outputs=[OTHERWISE]), "refused"),
        ("PreviewAndUp", UP, ACTIONS[0], Stack(changed=[PARTLY], outputs=[OTHERWISE]), "carried out in part"),
        (
            "DestroyStack",
            DESTROY,
            ACTIONS[1],
            Stack(previewed=[OF_DESTROY], changed=[REFUSED], outputs=[StackOutputs(deployed=False)]),
            "refused",
        ),
        (
            "RestoreState",
            RESTORE,
            ACTIONS[3],
            Stack(previewed=[OF_RESTORE], restored=[NOT_BACK], outputs=[OTHERWISE]),
            "refused",
        ),
        ("UnlockStack", UNLOCK, ACTIONS[2], Stack(unlocked=[NOT_TAKEN], lock=[HELD, LockSeen()]), "refused"),
    ],
    ids=["refused", "in part", "a refused destruction", "a refused restoring", "a lock that stands"],
)
async def test_what_is_said_to_be_refused_or_done_in_part_is_looked_at_too(
    client: Client, tmp_path: Path, workflow: str, request_: GoalInput, action: str, stack: Stack, said: str
) -> None:
    house = StackSessions(client, tmp_path, stack, action=action)
    async with house.at_work():
        goal = await client.start_workflow(
            workflow, request_, id=f"{workflow}-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
        )
        await house.approved(goal)
        assert f"is said to be {said}" in await doubted(goal)
        assert [one.partition(":")[0] for one in await house.told(goal)] == ["in doubt"]


@pytest.mark.parametrize(
    ("workflow", "request_", "action", "stack"),
    [
        ("PreviewAndUp", UP, ACTIONS[0], Stack(drift=[MISSING])),
        ("PreviewAndUp", UP, ACTIONS[0], Stack(drift=[DriftSeen(deployed=False)])),
        ("PreviewAndUp", UP, ACTIONS[0], Stack(drift=[application_error(ErrorType.INVALID_REQUEST, "no look")])),
        ("DestroyStack", DESTROY, ACTIONS[1], Stack(previewed=[OF_DESTROY], drift=[MISSING])),
        ("RestoreState", RESTORE, ACTIONS[3], Stack(previewed=[OF_RESTORE], outputs=[StackOutputs(state="0" * 64)])),
        ("UnlockStack", UNLOCK, ACTIONS[2], Stack(lock=[HELD])),
    ],
    ids=["update", "update of nothing", "update that nobody can look at", "destruction", "restoring", "unlocking"],
)
async def test_a_stack_that_is_as_it_was_is_not_changed_whatever_is_said(
    client: Client, tmp_path: Path, workflow: str, request_: GoalInput, action: str, stack: Stack
) -> None:
    house = StackSessions(client, tmp_path, stack, action=action)
    async with house.at_work():
        goal = await client.start_workflow(
            workflow, request_, id=f"{workflow}-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
        )
        await house.approved(goal)
        assert "is said to be carried out" in await doubted(goal)
        assert [one.partition(":")[0] for one in await house.told(goal)] == ["in doubt"]
