"""The goal `ServeModel` over hours, on a server whose clock is skipped ahead: a backend that goes away, and its end."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.lambdalabs.contracts import CHECK_INSTANCE, CHECK_READY, END_INSTANCE, GpuEnded, GpuStanding
from activities.models.serving_contracts import WATCH_SERVED, WITHDRAW_SERVED
from activities.queues import TaskQueue
from tests.workflows.lambdalabs.scenarios import BOOTING, GONE, READY, THERE
from tests.workflows.played import Answers, playing
from tests.workflows.serving.scenarios import ANSWERS, AWAY, IDLE, SERVED
from tests.workflows.serving.test_serve_model import taken
from workflows.serving.goals import SERVE_MODEL, ServeModelInput, ServeModelResult

WANTED: Final = ServeModelInput.model_validate(SERVE_MODEL.example.model_dump())
BACK_WITHIN: Final = timedelta(minutes=20)
BEFORE_ITS_END: Final = timedelta(minutes=2)


class Machine:
    """One that stands until it is ended."""

    def __init__(self) -> None:
        self.there = True

    def end(self) -> GpuEnded:
        self.there = False
        return GpuEnded(ids=("i-1",))

    def look(self) -> GpuStanding:
        return THERE.model_copy(update={"status": "active"}) if self.there else GONE


async def served(
    environment: WorkflowEnvironment, goal_id: str, seen: Sequence[object], wanted: ServeModelInput
) -> tuple[ServeModelResult, WorkflowHandle[Any, ServeModelResult]]:
    """To its end."""
    machine = Machine()
    answers: Answers = {
        **SERVED,
        # So long that one of its looks falls into the two minutes before its end.
        CHECK_READY: [*[BOOTING] * 6, READY],
        WATCH_SERVED: seen,
        END_INSTANCE: [machine.end],
        CHECK_INSTANCE: [machine.look],
    }
    async with playing(environment.client, answers):
        goal = await environment.client.start_workflow(
            SERVE_MODEL.name, wanted, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ServeModelResult
        )
        return await goal.result(), goal


async def lasted(goal: WorkflowHandle[Any, Any]) -> timedelta:
    """By the server's clock."""
    found = await goal.describe()
    assert found.close_time is not None
    return found.close_time - found.start_time


async def test_one_that_is_lost_for_twenty_minutes_is_paid_for_no_longer(
    skipping: WorkflowEnvironment, goal_id: str
) -> None:
    ended, goal = await served(skipping, goal_id, [AWAY, ANSWERS, AWAY], WANTED)
    assert (ended.outcome, ended.lost, ended.answers) == ("partially_applied", 1, False)
    assert ended.reason == f"it does not answer: {AWAY.why}; its machine was ended"
    assert BACK_WITHIN <= await lasted(goal) < BACK_WITHIN + timedelta(minutes=10)
    done = await taken(goal)
    assert done.index(WITHDRAW_SERVED.name) < done.index("give_back")


async def test_one_that_is_away_is_given_back_while_there_is_time_for_that(
    skipping: WorkflowEnvironment, goal_id: str
) -> None:
    patient = WANTED.model_copy(update={"comes_within_minutes": 240})
    ended, goal = await served(skipping, goal_id, [AWAY], patient)
    assert (ended.outcome, ended.reason, ended.lost) == ("completed", "its time is up", 0)
    closed = (await goal.describe()).close_time
    assert ended.ends_at is not None
    assert closed is not None
    assert ended.ends_at - BEFORE_ITS_END <= closed < ended.ends_at
    done = await taken(goal)
    assert done.index(WITHDRAW_SERVED.name) < done.index("give_back")


async def test_one_that_comes_back_each_time_is_served_on(skipping: WorkflowEnvironment, goal_id: str) -> None:
    comes_and_goes = [seen for _ in range(4) for seen in (ANSWERS, AWAY)]
    ended, _ = await served(skipping, goal_id, [*comes_and_goes, IDLE], WANTED)
    assert (ended.outcome, ended.lost) == ("completed", 4)
    assert (ended.reason or "").startswith("nobody asked it")
