"""A workflow of somebody's own, which hands a step whatever it was given."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.queues import TaskQueue


class Ended(BaseModel):
    """How the step ended."""

    type: str | None = None
    final: bool | None = None
    message: str | None = None


@workflow.defn(name="TestRawStep")
class RawStepWorkflow:
    @workflow.run
    async def run(self, given: RawValue) -> Ended:
        try:
            await workflow.execute_activity(
                "github.read_file",
                given,
                task_queue=TaskQueue.CONNECTORS,
                start_to_close_timeout=timedelta(seconds=10),
                schedule_to_close_timeout=timedelta(seconds=10),
            )
        except ActivityError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError):
                return Ended(type=cause.type, final=cause.non_retryable, message=cause.message)
        return Ended()
