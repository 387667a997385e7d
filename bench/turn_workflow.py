"""A turn of a language model: our step, and what it is measured against, a bare activity that asks the same."""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.models.contracts import REQUEST, RequestModel
    from activities.queues import TaskQueue

QUEUE_TURNS: Final = "bench-turns"
QUEUE_BARE_TURNS: Final = "bench-bare-turns"
BARE_ASK: Final = "bench_ask"


@workflow.defn(name="BenchTurn")
class BenchTurn:
    """Ask once."""

    @workflow.run
    async def run(self, request: RequestModel, bare: bool) -> None:
        """Take the one step.

        Args:
            request: What is asked.
            bare: By the bare activity.
        """
        await workflow.execute_activity(
            BARE_ASK if bare else REQUEST.name,
            request,
            task_queue=QUEUE_BARE_TURNS if bare else TaskQueue.MODELS,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
