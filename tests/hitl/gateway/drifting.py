"""Workflows that say what drifted: as the goal does, and as somebody who is not it."""

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from activities.presets import NOTIFY
    from activities.queues import TaskQueue
    from workflows.pulumi.drift_contracts import TELL_DRIFT, TellDrift, ToldDrift
    from workflows.pulumi.goals import DETECT_DRIFT

PRETENDER = "TestPretendDrift"


async def tell(request: TellDrift) -> ToldDrift:
    return await workflow.execute_activity(
        TELL_DRIFT.name,
        request,
        result_type=ToldDrift,
        task_queue=TaskQueue.HITL,
        start_to_close_timeout=timedelta(seconds=20),
        retry_policy=NOTIFY.retry,
    )


@workflow.defn(name=DETECT_DRIFT.name)
class DriftingWorkflow:
    """The end of a look: what was found is given."""

    @workflow.run
    async def run(self, requests: list[TellDrift]) -> list[ToldDrift]:
        return [await tell(one) for one in requests]


@workflow.defn(name=PRETENDER)
class PretendingWorkflow:
    """Whoever reaches Temporal can run a workflow of their own."""

    @workflow.run
    async def run(self, requests: list[TellDrift]) -> list[ToldDrift]:
        return [await tell(one) for one in requests]


def goals_worker(client: Client, *workflows: type[Any], queue: str = TaskQueue.GOALS) -> Worker:
    return Worker(client, task_queue=queue, workflows=workflows)
