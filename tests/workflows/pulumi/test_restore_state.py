"""What the goal `RestoreState` does with what its steps answer."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from activities.guard.error_types import ErrorType, application_error
from activities.pulumi.contracts import StackRestored
from activities.queues import TaskQueue
from connectors.pulumi.outcome import Ended
from hitl.approval.decision import Verdict
from tests.workflows.pulumi.stacking import (
    ACTIONS,
    DIGEST,
    KEPT,
    NOTHING,
    PREVIEWED,
    PUT_BACK,
    RESTORE,
    Stack,
    StackSessions,
    plan,
)
from workflows.pulumi.goals import RestoreStateInput, RestoreStateResult
from workflows.pulumi.restore_state import RestoreStateWorkflow

COMPARED = PREVIEWED.model_copy(update={"plan": plan(ACTIONS[3]), "exported": DIGEST})
Make = Callable[[Stack], StackSessions]
Goal = WorkflowHandle[RestoreStateWorkflow, RestoreStateResult]


@pytest.fixture
def house(client: Client, tmp_path: Path) -> Make:
    return lambda stack: StackSessions(client, tmp_path, stack, action=ACTIONS[3])


async def start(house: StackSessions) -> Goal:
    return await house.client.start_workflow(
        RestoreStateWorkflow.run,
        RESTORE,
        id=f"RestoreState-{secrets.token_hex(4)}",
        task_queue=TaskQueue.GOALS,
        execution_timeout=timedelta(minutes=2),
    )


async def test_a_kept_state_is_put_back_once_people_said_so(house: Make) -> None:
    stack = Stack(previewed=[COMPARED], outputs=[PUT_BACK])
    made = house(stack)
    async with made.at_work():
        goal = await start(made)
        await made.approved(goal)
        result = await goal.result()
    assert (result.outcome, result.reason) == ("completed", None)
    assert (result.state, result.state_before, result.state_after) == ("1" * 64, DIGEST, KEPT)
    assert "DetectDrift" in result.next_step
    assert stack.names() == ["fetch", "prepare", "compare", "restore", "outputs"]
    assert stack.of("compare")[0].backup == KEPT
    assert stack.of("restore")[0].plan == COMPARED.plan


async def test_nobody_is_asked_where_the_state_is_that_already(house: Make) -> None:
    stack = Stack(previewed=[NOTHING.model_copy(update={"exported": DIGEST})])
    made = house(stack)
    async with made.at_work():
        result = await (await start(made)).result()
    assert (result.outcome, result.state_before, result.state_after) == ("completed", DIGEST, DIGEST)
    assert "restore" not in stack.names()


async def test_nothing_is_put_back_that_people_reject(house: Make) -> None:
    stack = Stack(previewed=[COMPARED])
    made = house(stack)
    async with made.at_work():
        goal = await start(made)
        await made.decide(await made.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="an old one")
        result = await goal.result()
    assert (result.outcome, result.state_after) == ("rejected", DIGEST)
    assert "an old one" in str(result.reason)
    assert "restore" not in stack.names()


async def test_a_state_that_changed_after_the_approval_is_compared_and_asked_about_anew(house: Make) -> None:
    conflict = application_error(ErrorType.CONFLICT, "the state is another one")
    stack = Stack(previewed=[COMPARED], restored=[conflict, *Stack().restored], outputs=[PUT_BACK])
    made = house(stack)
    async with made.at_work():
        goal = await start(made)
        await made.approved(goal)
        await made.approved(goal, after=1)
        assert (await goal.result()).outcome == "completed"
    assert stack.names().count("compare") == 2


@pytest.mark.parametrize(("ended", "outcome"), [(Ended.REFUSED, "refused"), (Ended.UNKNOWN, "unknown")])
async def test_what_was_not_put_back_is_said_and_not_tried_again(house: Make, ended: Ended, outcome: str) -> None:
    found = StackRestored(ended=ended, state="2" * 64, exported=KEPT, replaced=DIGEST, said="error: it is broken")
    stack = Stack(previewed=[COMPARED], restored=[found])
    made = house(stack)
    async with made.at_work():
        goal = await start(made)
        await made.approved(goal)
        result = await goal.result()
    assert (result.outcome, result.state, result.state_before) == (outcome, "2" * 64, DIGEST)
    assert str(result.reason) == f"error: it is broken {result.next_step}"
    assert stack.names().count("restore") == 1


async def test_an_artifact_that_is_no_state_ends_the_goal_with_its_error(house: Make) -> None:
    stack = Stack(previewed=[application_error(ErrorType.INVALID_REQUEST, "it is a state of 'blog/prod'")])
    made = house(stack)
    async with made.at_work():
        goal = await start(made)
        with pytest.raises(WorkflowFailureError) as failed:
            await goal.result()
    assert "it is a state of 'blog/prod'" in str(failed.value.cause)
    assert stack.names().count("compare") == 1


def test_what_is_no_reference_is_refused_with_where_to_find_one() -> None:
    with pytest.raises(ValidationError, match="take `exported` of what InspectStack tells"):
        RestoreStateInput(repository="acme/infra", stack="dev", exported="latest")
