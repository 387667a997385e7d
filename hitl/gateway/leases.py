"""Leases as the Temporal server says they are, for the workflow that has people told of one that cannot be ended."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Gauge
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus

from activities.leases.contracts import LEASE_WORKFLOW, LeaseRequest
from activities.leases.views import view_of
from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from hitl.gateway.server import Server
from observability import names
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.leases.contracts import LEASE_NOTICE

_SHOWN: Final = {"held": State.RUNNING, "stuck": State.PARKED}
_LEASES: Final = Gauge(
    names.METRIC_LEASES,
    "Leases that are held or being ended, of these the ones past their time, and those that cannot be ended.",
    ("state",),
)


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
    """Counts leases, for the metric that alerts look at.

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
        for shown, state in _SHOWN.items():
            _LEASES.labels(state=shown).set((await self._client.count_workflows(_standing(state))).count)
        now, overdue = _now(), 0
        async for one in self._client.list_workflows(_standing(State.RUNNING)):
            view = await view_of(one)
            overdue += view is not None and now > view.lease.ends_at + view.lease.patience
        _LEASES.labels(state="overdue").set(overdue)


def _standing(state: State) -> str:
    return f"WorkflowType = '{LEASE_WORKFLOW}' AND ExecutionStatus = 'Running' AND {STATE_ATTRIBUTE.name} = '{state}'"


def _now() -> datetime:
    return datetime.now(UTC)
