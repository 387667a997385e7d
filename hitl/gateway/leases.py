"""Leases as the Temporal server says they are, for the workflow that has people told of one that cannot be ended."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Never

import structlog
from prometheus_client import Gauge
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.leases.contracts import LEASE_WORKFLOW, LeaseRequest
from activities.leases.views import view_of
from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from hitl.gateway.server import Server
from observability import names
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.leases.contracts import LEASE_NOTICE

_EVERY_S: Final = 30.0
_SHOWN: Final = {"held": State.RUNNING, "stuck": State.PARKED}
_LEASES: Final = Gauge(
    names.METRIC_LEASES, "Leases that are held or being ended, and those that cannot be ended.", ("state",)
)
_log = structlog.get_logger("banksman.gateway")


@dataclass(frozen=True, kw_only=True)
class StuckLease:
    """One lease, and the notice that speaks of it.

    Attributes:
        notice: Workflow and run id.
        since: When people were first to be told.
        found: As the server describes it.
        lease: What it holds, in its own words.
    """

    notice: tuple[str, str]
    since: datetime
    found: WorkflowExecutionDescription
    lease: LeaseRequest

    @property
    def ended(self) -> bool:
        """Whether it has ended, and says itself that what it held is gone."""
        return self.found.status is WorkflowExecutionStatus.COMPLETED

    @property
    def runs(self) -> bool:
        """Whether it is still tried."""
        return self.found.status is WorkflowExecutionStatus.RUNNING


async def stuck_lease(server: Server, *, workflow_id: str | None, run_id: str | None) -> StuckLease:
    """The lease that a step speaks of.

    Args:
        server: Temporal.
        workflow_id: Whose step it is.
        run_id: The same.

    Raises:
        InvalidRequest: It is no notice that a lease left.
        RPCError: The server cannot be reached.
    """
    notice = await server.describe(workflow_id, run_id) if workflow_id else None
    # On another queue than the goals', whoever polls it would speak as one of them.
    if notice is None or (notice.workflow_type, notice.task_queue) != (LEASE_NOTICE, TaskQueue.GOALS):
        raise InvalidRequest(f"that a lease cannot be ended, only its {LEASE_NOTICE} says")
    found = await server.describe(notice.parent_id, notice.parent_run_id) if notice.parent_id else None
    if found is None or (found.workflow_type, found.task_queue) != (LEASE_WORKFLOW, TaskQueue.GOALS):
        raise InvalidRequest(f"no lease left this {LEASE_NOTICE}: it speaks of none")
    view = await view_of(found)
    if view is None or view.id != found.id:
        raise InvalidRequest(f"what {found.id!r} holds cannot be read")
    return StuckLease(notice=(notice.id, notice.run_id), since=notice.start_time, found=found, lease=view.lease)


class LeaseCounts:
    """Counts leases now and then, for the metric that an alert looks at.

    Args:
        server: Temporal.
        every: Seconds between two looks.
    """

    def __init__(self, server: Server, *, every: float = _EVERY_S) -> None:
        self._server = server
        self._every = every

    async def run(self) -> Never:
        """For as long as the process lives."""
        while True:
            try:
                await self.count()
            except RPCError as error:
                _log.warning("leases were not counted", why=error.message)
            await asyncio.sleep(self._every)

    async def count(self) -> None:
        """One look.

        Raises:
            RPCError: The server cannot be reached.
        """
        for shown, state in _SHOWN.items():
            query = (
                f"WorkflowType = '{LEASE_WORKFLOW}' AND ExecutionStatus = 'Running' "
                f"AND {STATE_ATTRIBUTE.name} = '{state}'"
            )
            _LEASES.labels(state=shown).set((await self._server.client.count_workflows(query)).count)
