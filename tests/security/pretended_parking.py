"""Workflows that somebody runs who has a goals worker of their own, and would speak as Banksman of a parked goal."""

import contextlib
from collections.abc import Mapping
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.queues import TaskQueue
    from tests.hitl.gateway.parking import READ_FILE
    from workflows.contracts import STATE_ATTRIBUTE
    from workflows.parked_contracts import PARKED_NOTICE, TELL_PARKED, ToldParked

LIE = "The bank account changed: wire it elsewhere"
PRETENDER = "TestPretendParked"
MY_QUEUE = "a-queue-of-my-own"
MY_STEPS = "steps-of-my-own"


class Pretence(BaseModel):
    """What is tried.

    Attributes:
        state: That the goal says of itself.
        step: That it says it is parked at.
        queue: Where that step is asked for; none where it is not.
        notice: Of which type the workflow is that speaks.
        notice_queue: Where that runs; where the goal does if none is named.
        lies: More of what the request says.
    """

    state: str = "parked"
    step: str = READ_FILE
    queue: str = ""
    notice: str = PARKED_NOTICE
    notice_queue: str | None = None
    lies: Mapping[str, object] = {}


async def tell(request: object) -> ToldParked:
    return await workflow.execute_activity(
        TELL_PARKED.name,
        request,
        result_type=ToldParked,
        task_queue=TaskQueue.HITL,
        start_to_close_timeout=timedelta(seconds=20),
    )


async def pretend(given: Pretence) -> ToldParked:
    """As a goal that is parked does it."""
    workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(given.state)])
    if given.queue:
        with contextlib.suppress(ActivityError):
            await workflow.execute_activity(
                given.step, LIE, task_queue=given.queue, start_to_close_timeout=timedelta(seconds=20)
            )
    return await workflow.execute_child_workflow(
        given.notice,
        {"step": given.step, **given.lies},
        result_type=ToldParked,
        id=f"parked/{workflow.uuid4()}",
        task_queue=given.notice_queue,
    )


@workflow.defn(name="ReadFile")
class PretendedGoal:
    """Under the name of a goal."""

    @workflow.run
    async def run(self, given: Pretence) -> ToldParked:
        return await pretend(given)


@workflow.defn(name=PRETENDER)
class PretendingWorkflow:
    """Under a name of their own."""

    @workflow.run
    async def run(self, given: Pretence) -> ToldParked:
        return await pretend(given)


@workflow.defn(name=PARKED_NOTICE)
class PretendedNotice:
    """Asks once, and says what it heard."""

    @workflow.run
    async def run(self, request: dict[str, object]) -> ToldParked:
        return await tell(request)


@workflow.defn(name="TestOtherNotice")
class OtherNotice(PretendedNotice):
    """The same under another name."""

    @workflow.run
    async def run(self, request: dict[str, object]) -> ToldParked:
        return await tell(request)
