"""Whether anybody works on a task queue: a step on one that nobody serves waits, and nobody is told why."""

from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue as Queue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

_PATIENCE: Final = timedelta(seconds=2)
_POLLED_WITHIN: Final = timedelta(seconds=75)
"""A worker asks for work at least every minute; one that did not is gone, though Temporal lists it for minutes."""


async def is_served(client: Client, queue: str) -> bool:
    """Whether a worker asked this queue for steps lately; yes where the server does not say."""
    asked = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=Queue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    try:
        answer = await client.workflow_service.describe_task_queue(asked, timeout=_PATIENCE)
    except RPCError:
        return True  # nobody knows
    since = datetime.now(UTC) - _POLLED_WITHIN
    return any(one.last_access_time.ToDatetime(tzinfo=UTC) > since for one in answer.pollers)
