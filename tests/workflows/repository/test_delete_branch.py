"""The goal `DeleteBranch` on the real dev server, its steps scripted; with people and the twin in `tests/stack`."""

import asyncio
import dataclasses
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import Worker

from activities.github.contracts import BranchDeleted, BranchSeen
from activities.guard.error_types import ErrorType, application_error, policy_denied
from activities.queues import TaskQueue
from tests.replay.approvals import BEGUN, DELETED, GONE, Asking, approved, asked_again, at_work, start_asking, stopped
from tests.replay.scenarios import until_parked
from tests.workflows.approval.approving import ACTION, House
from tests.workflows.scripted import SEEN, Steps, workers
from workflows.contracts import Resume, State
from workflows.parked_contracts import MAY_HAVE_BEGUN
from workflows.repository.goals import DeleteBranchInput, DeleteBranchResult


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path)


on_the_server = pytest.mark.asyncio(loop_scope="session")


@on_the_server
@pytest.mark.parametrize(
    ("seen", "kind", "says"),
    [
        (SEEN.model_copy(update={"default": True}), ErrorType.INVALID_REQUEST, "is the default branch of 'acme/shop'"),
        (BranchSeen(head=None), ErrorType.NOT_FOUND, "nothing is to be deleted"),
    ],
)
async def test_what_cannot_be_deleted_is_refused_before_anybody_is_asked(
    client: Client, steps: Steps, goal_id: str, seen: BranchSeen, kind: ErrorType, says: str
) -> None:
    steps.seen = [seen]
    request = DeleteBranchInput(repository="acme/shop", branch="main")
    async with workers(client, steps):
        handle = await client.start_workflow(
            "DeleteBranch", request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=DeleteBranchResult
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, says in cause.message) == (kind, True)
    history = await handle.fetch_history()
    asked = "start_child_workflow_execution_initiated_event_attributes"
    assert not any(event.HasField(asked) for event in history.events)


def in_its_step(*answers: BranchDeleted | Exception) -> Asking:
    """Whose goal is cancelled while a worker is at the step, which ends so."""
    name = f"stopped-{secrets.token_hex(4)}"
    return Asking(name, State.APPROVED, stopped, deleted=answers, held=True, gateway=True)


GONE_BY_THEN: Final = application_error(ErrorType.UNAVAILABLE, "GitHub did not answer")
MOVED: Final = application_error(ErrorType.CONFLICT, "it moved and is kept")


@on_the_server
@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ((DELETED,), "carried out, although it was cancelled meanwhile"),
        ((MOVED,), "not carried out. Why: it moved and is kept"),
        ((), "cancelled while it was carried out"),
        (
            (GONE_BY_THEN,),
            "in doubt: nobody can say whether it was carried out. Why: it was cancelled, and GitHub did not answer",
        ),
    ],
    ids=["deleted", "refused", "stopped", "in doubt"],
)
async def test_a_goal_that_is_cancelled_waits_for_its_step_and_says_what_was_done(
    house: House, answers: tuple[BranchDeleted | Exception, ...], told: str
) -> None:
    asking = in_its_step(*answers)
    async with at_work(house, asking):
        goal = await start_asking(house, asking)
        await asking.drive(house, goal, await house.approval_of(goal))
        with pytest.raises(WorkflowFailureError) as caught:
            await goal.result()
        assert isinstance(caught.value.cause, CancelledError)
        assert await house.told(goal) == [told]
        shown = str((await goal.query("__temporal_workflow_metadata")).current_details)
    assert shown == f"Delete the branch old of acme/shop: cancelled. What was approved: {told}"


@on_the_server
async def test_a_goal_that_is_cancelled_does_not_wait_for_a_worker_that_is_gone(house: House) -> None:
    """Its heartbeat stays away, and nobody knows what it did."""
    asking = dataclasses.replace(in_its_step(DELETED), held=False)
    held = asyncio.Event()

    class Gone:
        @activity.defn(name=ACTION)
        async def delete(self, request: object) -> BranchDeleted:
            del request
            await held.wait()
            return DELETED

    gone = Worker(house.client, task_queue=TaskQueue.DESTRUCTIVE, activities=[Gone().delete])
    async with at_work(house, asking, destruction=gone):
        goal = await start_asking(house, asking)
        await asking.drive(house, goal, await house.approval_of(goal))
        with pytest.raises(WorkflowFailureError) as caught:
            await goal.result()
        assert isinstance(caught.value.cause, CancelledError)
        [told] = await house.told(goal)
        held.set()
    assert told.startswith("in doubt: nobody can say whether it was carried out. Why: it was cancelled, and ")
    assert "got no answer in time" in told


@on_the_server
@pytest.mark.parametrize("times", [1, 2])
async def test_what_was_begun_before_the_goal_parked_is_planned_and_asked_again_once(house: House, times: int) -> None:
    name = f"begun-{secrets.token_hex(4)}"
    answers = (*(policy_denied(BEGUN) for _ in range(times)), DELETED)
    seen = (SEEN, SEEN, GONE)
    asking = Asking(name, State.APPROVED, asked_again, deleted=answers, seen=seen, gateway=True)
    async with at_work(house, asking):
        goal = await start_asking(house, asking)
        await asking.drive(house, goal, await house.approval_of(goal))
        result = await goal.result()
    assert (result["outcome"], result["reason"]) == (
        ("completed", None) if times == 1 else ("denied", "It was begun already.")
    )
    assert (await house.told(goal))[0].startswith(
        "in doubt: nobody can say whether it was carried out. Why: It was begun"
    )


@on_the_server
@pytest.mark.parametrize("begun", [False, True], ids=["not-begun", "begun"])
async def test_one_that_used_up_its_time_says_that_it_may_have_begun_and_what_to_do(
    house: House, *, begun: bool
) -> None:
    """Resumed it goes on where the guard finds it not begun; else people are asked, on what is there then."""
    away = application_error(ErrorType.UNAVAILABLE, "GitHub is away", retry_after=timedelta(days=1))
    answers = (away, *((policy_denied(BEGUN),) if begun else ()), DELETED)
    name = f"late-{secrets.token_hex(4)}"
    asking = Asking(name, State.APPROVED, approved, deleted=answers, seen=(SEEN, *((SEEN,) if begun else ()), GONE))
    async with at_work(house, asking):
        goal = await start_asking(house, asking)
        first = await house.approval_of(goal)
        await approved(house, goal, first)
        status = await until_parked(goal)
        shown = str((await goal.query("__temporal_workflow_metadata")).current_details)
        await goal.execute_update("resume", Resume())
        if begun:
            await approved(house, goal, await house.approval_of(goal, after=1))
        result = await goal.result()
    assert (result["outcome"], result["reason"]) == ("completed", None)
    assert str(status.waiting_for) == f"GitHub is away; {MAY_HAVE_BEGUN}"
    assert "Where it had begun, cancel the workflow and start it anew; else mend it, then `banksman resume" in shown


@on_the_server
async def test_what_was_begun_and_is_gone_is_not_asked_again(house: House) -> None:
    name = f"begun-{secrets.token_hex(4)}"
    asking = Asking(name, State.APPROVED, approved, deleted=(policy_denied(BEGUN),), seen=(SEEN, GONE))
    async with at_work(house, asking):
        goal = await start_asking(house, asking)
        await asking.drive(house, goal, await house.approval_of(goal))
        with pytest.raises(WorkflowFailureError) as caught:
            await goal.result()
    assert "has no branch 'old' any more, since people were asked" in str(caught.value.cause)
