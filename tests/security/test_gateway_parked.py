"""Attacks on what people are told of parked goals: of each the gateway says what the server knows, and nothing else.

Whoever has a goals worker of their own runs any code under the name of a goal. Each control has its test; taking the
control out makes the test fail.
"""

import contextlib
import secrets
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType
from activities.queues import TaskQueue
from tests.hitl.gateway.parking import READ_FILE, SEALED, told
from tests.hitl.gateway.running import CHANNEL, Place, buttons, texts
from tests.security.pretended_parking import (
    LIE,
    MY_QUEUE,
    MY_STEPS,
    PRETENDER,
    OtherNotice,
    Pretence,
    PretendedGoal,
    PretendedNotice,
    PretendingWorkflow,
)
from workflows.parked_contracts import PARKED_NOTICE, TELL_PARKED, TellParked, ToldParked

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINE = "wire.money_elsewhere"
WORKFLOWS: list[type[Any]] = [PretendedGoal, PretendingWorkflow, PretendedNotice, OtherNotice]


def failing(name: str, why: str) -> Any:
    @activity.defn(name=name)
    async def fail(request: object) -> None:
        raise ApplicationError(why, type=ErrorType.UNAVAILABLE.value, non_retryable=True)

    return fail


def goals_worker(here: Place, queue: str) -> Worker:
    return Worker(here.client, task_queue=queue, workflows=WORKFLOWS)


@contextlib.asynccontextmanager
async def attacking(here: Place, *, queue: str = TaskQueue.GOALS) -> AsyncGenerator[None]:
    """A gateway, a goals worker of somebody's own, and steps that fail: one of ours, and theirs."""
    client, goals = here.client, goals_worker(here, queue)
    ours = Worker(client, task_queue=TaskQueue.CONNECTORS, activities=[failing(READ_FILE, SEALED), failing(MINE, LIE)])
    theirs = Worker(client, task_queue=MY_STEPS, activities=[failing(READ_FILE, LIE), failing(MINE, LIE)])
    async with here.gateway(), goals, ours, theirs:
        yield


async def pretended(
    here: Place, given: Pretence, *, name: str = "ReadFile", queue: str = TaskQueue.GOALS
) -> WorkflowHandle[Any, ToldParked]:
    return await here.client.start_workflow(
        name,
        given,
        id=f"pretended-{secrets.token_hex(4)}",
        task_queue=queue,
        result_type=ToldParked,
        execution_timeout=timedelta(seconds=60),
    )


async def refusal(goal: WorkflowHandle[Any, Any]) -> str:
    """Why it was refused: what all of the causes say."""
    with pytest.raises(WorkflowFailureError) as failed:
        await goal.result()
    said: list[str] = []
    error: BaseException | None = failed.value
    while error is not None:
        said.append(str(error))
        error = error.__cause__
    return "\n".join(said)


async def test_the_goal_itself_is_told_of_in_the_words_of_its_step(here: Place) -> None:
    """The honest way, without which the attacks below could not fail."""
    async with attacking(here):
        goal = await pretended(here, Pretence(queue=TaskQueue.CONNECTORS))
        posted = await goal.result()
        [message] = await told(here)
    assert posted.ts == message["ts"]
    assert texts(message).startswith(f"Parked: {goal.id}")
    assert SEALED in texts(message)


@pytest.mark.parametrize(
    ("name", "notice", "says"),
    [
        (PRETENDER, PARKED_NOTICE, "no goal left this"),
        ("ReadFile", "TestOtherNotice", "only its ParkedNotice says"),
    ],
    ids=["another workflow", "another notice"],
)
async def test_another_workflow_does_not_speak(here: Place, name: str, notice: str, says: str) -> None:
    async with attacking(here):
        goal = await pretended(here, Pretence(queue=TaskQueue.CONNECTORS, notice=notice), name=name)
        assert says in await refusal(goal)
    assert await told(here) == []


async def test_another_worker_does_not_speak(here: Place) -> None:
    async with attacking(here, queue=MY_QUEUE):
        goal = await pretended(here, Pretence(queue=TaskQueue.CONNECTORS), queue=MY_QUEUE)
        assert "only its ParkedNotice says" in await refusal(goal)
    assert await told(here) == []


async def test_a_worker_of_another_queue_has_ours_speak_of_nothing(here: Place) -> None:
    async with attacking(here, queue=MY_QUEUE), goals_worker(here, TaskQueue.GOALS):
        given = Pretence(queue=TaskQueue.CONNECTORS, notice_queue=TaskQueue.GOALS)
        goal = await pretended(here, given, queue=MY_QUEUE)
        assert "no goal left this" in await refusal(goal)
    assert await told(here) == []


async def test_a_notice_that_no_goal_left_and_a_step_by_itself_do_not_speak(here: Place) -> None:
    async with attacking(here):
        notice = await here.client.start_workflow(
            PARKED_NOTICE, TellParked(step=READ_FILE), id=f"mine-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
        )
        assert "no goal left this" in await refusal(notice)
        alone = await here.client.start_activity(
            TELL_PARKED.name,
            TellParked(step=READ_FILE),
            id=f"alone-{secrets.token_hex(4)}",
            task_queue=TaskQueue.HITL,
            start_to_close_timeout=timedelta(seconds=10),
        )
        with pytest.raises(Exception, match="Activity") as failed:
            await alone.result()
    assert "only its ParkedNotice says" in str(failed.value.__cause__)
    assert await told(here) == []


@pytest.mark.parametrize("state", ["running", "waiting", "completed", LIE])
async def test_of_a_goal_that_is_not_parked_nothing_is_said(here: Place, state: str) -> None:
    async with attacking(here):
        goal = await pretended(here, Pretence(state=state, queue=TaskQueue.CONNECTORS))
        assert (await goal.result()).ts == ""
    assert await told(here) == []


@pytest.mark.parametrize(
    "given",
    [
        Pretence(),
        Pretence(step=LIE),
        Pretence(step=MINE, queue=TaskQueue.CONNECTORS),
        Pretence(queue=MY_STEPS),
        Pretence(step=MINE, queue=MY_STEPS),
    ],
    ids=["no step failed", "a step of words", "a step that is none", "a step of theirs", "both"],
)
async def test_no_words_but_those_of_a_step_of_ours_are_said(here: Place, given: Pretence) -> None:
    lies = {"why": LIE, "goal": LIE, "goal_id": LIE, "text": LIE, "key": LIE}
    async with attacking(here):
        goal = await pretended(here, given.model_copy(update={"lies": lies}))
        await goal.result()
        [message] = await told(here)
    assert "bank account" not in str(message)
    assert MINE not in str(message)
    assert "What it waits for, its page tells." in texts(message)


async def test_nobody_speaks_of_another_goal(here: Place) -> None:
    """What names a goal in the request is not read: the parent is told of."""
    victim = "read-file/acme/payroll/README.md"
    lies = {"goal": victim, "goal_id": victim, "workflow_id": victim, "id": victim}
    async with attacking(here):
        goal = await pretended(here, Pretence(queue=TaskQueue.CONNECTORS, lies=lies))
        await goal.result()
        [message] = await told(here)
    assert "payroll" not in str(message)
    assert texts(message).startswith(f"Parked: {goal.id}")


async def test_no_other_message_of_ours_is_written_over(here: Place) -> None:
    """Not an approval's, which would lose its buttons, and not that of another parked goal."""
    async with here.running() as gateway:
        _, approval, asked = await here.asked(gateway)
    async with attacking(here):
        parked = await (await pretended(here, Pretence(queue=TaskQueue.CONNECTORS))).result()
        for ts in (asked["ts"], parked.ts):
            posted = {"posted": {"channel": CHANNEL, "ts": ts}}
            await (await pretended(here, Pretence(queue=TaskQueue.CONNECTORS, lies=posted))).result()
        [other] = await told(here)
    after = await here.message(approval)
    assert (after["edits"], buttons(after)) == (0, buttons(asked))
    assert other["edits"] == 0
    assert texts(other).startswith("Parked: ")
