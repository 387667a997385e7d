"""The one place where a step becomes a command of Temporal's."""

from typing import TypeVar

from temporalio import workflow
from temporalio.common import Priority

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.presets import Preset
    from activities.queues import TaskQueue
    from activities.step import Step

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response")


async def execute(  # noqa: PLR0913 - all but two are named by every caller
    step: Step[Request, Response],
    request: Request,
    *,
    summary: str,
    preset: Preset | None = None,
    queue: TaskQueue | None = None,
    step_id: str | None = None,
    priority: Priority = Priority.default,
) -> Response:
    """Schedule a step and wait for its answer.

    Args:
        step: Which one.
        request: What it is asked.
        summary: What people see of it.
        preset: Instead of the step's own.
        queue: Instead of the step's own.
        step_id: Its activity id; one is made when None.
        priority: Among what waits on the same queue.

    Raises:
        ActivityError: It failed, was cancelled, or used up its time.
    """
    tried = preset or step.preset
    return await workflow.execute_activity(
        step.name,
        request,
        result_type=step.response,
        task_queue=queue or step.queue,
        start_to_close_timeout=tried.start_to_close,
        schedule_to_close_timeout=tried.schedule_to_close,
        heartbeat_timeout=tried.heartbeat,
        retry_policy=tried.retry,
        cancellation_type=tried.cancellation,
        summary=summary,
        activity_id=step_id,
        priority=priority,
    )
