"""Work that waits on our queues, as the server says: also where no worker is left to measure it."""

from typing import Final

from prometheus_client import Gauge
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue as QueueMessage
from temporalio.api.taskqueue.v1 import TaskQueueStats
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from activities.queues import TaskQueue
from hitl.gateway.server import Server
from observability import names

_KINDS: Final = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
_BACKLOG: Final = Gauge(names.METRIC_QUEUE_BACKLOG, "Tasks that wait on a queue, about.", ("queue",))
_WAIT: Final = Gauge(names.METRIC_QUEUE_WAIT, "Seconds that the oldest of them waits; 0 where none does.", ("queue",))


class QueueCounts:
    """Counts what waits on each queue.

    Args:
        server: Temporal.
    """

    def __init__(self, server: Server) -> None:
        self._client = server.client

    async def count(self) -> None:
        """One look.

        Raises:
            RPCError: The server cannot be reached.
        """
        for queue in TaskQueue:
            stats = [await self._stats(queue, kind) for kind in _KINDS]
            _BACKLOG.labels(queue=queue.value).set(sum(one.approximate_backlog_count for one in stats))
            oldest = max(one.approximate_backlog_age.ToTimedelta() for one in stats)
            _WAIT.labels(queue=queue.value).set(oldest.total_seconds())

    async def _stats(self, queue: TaskQueue, kind: TaskQueueType.ValueType) -> TaskQueueStats:
        answer = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=QueueMessage(name=queue.value),
                task_queue_type=kind,
                report_stats=True,
            )
        )
        return answer.stats
