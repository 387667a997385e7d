"""An approval that ends otherwise than by its people is an outcome of the goal, with a sentence."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import StartChildWorkflowInput

from activities.guard.error_types import ErrorType
from tests.workflows.approval.approving import ACTION, House
from tests.workflows.other_starts import Change, StartedOtherwise, asking_otherwise
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.standing import standing_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path)


@pytest.mark.parametrize(
    ("how", "says"), [("terminate", "was terminated by hand"), ("cancel", "was cancelled by hand")]
)
async def test_an_approval_that_is_ended_by_hand_is_an_outcome_of_the_goal(house: House, how: str, says: str) -> None:
    async with house.workers():
        goal = await house.start()
        approval = house.client.get_workflow_handle(await house.approval_of(goal))
        await house.decide(approval.id, "alice")
        await (approval.terminate() if how == "terminate" else approval.cancel())
        result = await goal.result()
        described = await approval.describe()
    assert result.outcome == "approval_lost"
    assert says in (result.reason or "")
    assert "Nothing was done; ask again." in (result.reason or "")
    assert house.remover.removed == []
    goals = (await goal.describe()).typed_search_attributes
    assert goals.get(STATE_ATTRIBUTE) == State.APPROVAL_LOST
    assert standing_of(described) == ("terminated" if how == "terminate" else "superseded")


def in_a_second(start: StartChildWorkflowInput) -> None:
    start.execution_timeout = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("status", "change", "says"),
    [
        (WorkflowExecutionStatus.TIMED_OUT, in_a_second, "ran out of the time that Temporal gave it"),
        (WorkflowExecutionStatus.FAILED, asking_otherwise(plan="it met its end"), "failed: "),
    ],
    ids=["timed out", "failed"],
)
async def test_an_approval_that_ends_by_itself_is_an_outcome_of_the_goal(
    house: House, status: WorkflowExecutionStatus, change: Change, says: str
) -> None:
    async with house.workers(interceptors=[StartedOtherwise(change)]):
        goal = await house.start()
        result = await goal.result()
        described = await house.client.get_workflow_handle(await house.approval_of(goal)).describe()
    assert described.status is status
    assert result.outcome == "approval_lost"
    assert (result.reason or "").startswith(f"{ACTION} was not approved: its approval {says}")
    assert (result.reason or "").endswith(". Nothing was done; ask again.")
    assert house.remover.removed == []
    goals = (await goal.describe()).typed_search_attributes
    assert goals.get(STATE_ATTRIBUTE) == State.APPROVAL_LOST
    assert standing_of(described) == status.name.lower()


@pytest.mark.parametrize(
    ("name", "absurd"),
    [
        ("approve_within", timedelta(days=99_999_999)),
        ("approve_within", timedelta(seconds=-1)),
        ("remind_after", timedelta(days=99_999_999)),
        ("escalation_after", timedelta(days=99_999_999)),
        ("look_after", timedelta(days=99_999_999)),
        ("look_after", timedelta(0)),
    ],
    ids=str,
)
async def test_an_approval_with_absurd_times_ends_at_once(house: House, name: str, absurd: timedelta) -> None:
    async with house.workers(interceptors=[StartedOtherwise(asking_otherwise(**{name: absurd}))]):
        goal = await house.start()
        result = await goal.result()
        with pytest.raises(WorkflowFailureError) as caught:
            await house.client.get_workflow_handle(await house.approval_of(goal)).result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == ErrorType.INVALID_REQUEST
    assert name in caught.value.cause.message
    assert result.outcome == "approval_lost"
    assert "its approval failed: ApprovalRequest: field " in (result.reason or "")
