"""Steps that look at leases themselves: they ask Temporal, and no provider."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.leases.contracts import (
    FIND_KINDS,
    FIND_KNOWN,
    FIND_LOST,
    LEASE_WORKFLOW,
    FindKinds,
    FindKnown,
    FindLost,
    FoundKinds,
    FoundKnown,
    FoundLost,
    LeaseRequest,
    Orphan,
    Owner,
    lease_id,
)
from activities.leases.kinds import LeaseKind
from activities.leases.views import LeaseView, view_of
from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable

_LEASES: Final = f"WorkflowType = '{LEASE_WORKFLOW}'"
_LOST: Final = f"{_LEASES} AND ExecutionStatus IN ('Terminated', 'TimedOut', 'Failed')"
_NOT_THERE: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})


class LeaseActivities:
    """The steps.

    Args:
        kinds: What can be leased.
    """

    def __init__(self, kinds: Mapping[str, LeaseKind[Any]]) -> None:
        self._kinds = kinds

    @implements(FIND_KINDS)
    async def find_kinds(self, request: FindKinds) -> FoundKinds:
        """What this release can lease.

        Raises:
            InvalidRequest: There is no kind of a name that was given.
        """
        if unknown := [name for name in request.names if name not in self._kinds]:
            known = ", ".join(map(repr, self._kinds)) or "none yet"
            raise InvalidRequest(f"there are no leases called {', '.join(map(repr, unknown))}; there are {known}")
        wanted = request.names or tuple(self._kinds)
        return FoundKinds(kinds=tuple(self._kinds[name].facts() for name in wanted))

    @implements(FIND_KNOWN)
    async def find_known(self, request: FindKnown) -> FoundKnown:
        """Which of these things have a lease, and which had one.

        Raises:
            Unavailable: Temporal does not answer now.
        """
        held: list[str] = []
        ended: list[str] = []
        for mark in request.marks:
            found = await _described(activity.client(), lease_id(request.kind, mark))
            if found is None or not _is_lease(found):
                continue
            (held if found.status is WorkflowExecutionStatus.RUNNING else ended).append(mark)
        return FoundKnown(held=tuple(held), ended=tuple(ended))

    @implements(FIND_LOST)
    async def find_lost(self, request: FindLost) -> FoundLost:
        """Leases that were ended from outside, and those whose owner is over.

        Raises:
            Unavailable: Temporal does not answer now.
        """
        client = activity.client()
        try:
            lost = [one async for one in _lost(client)]
            orphans = [one async for one in _orphans(client)]
        except RPCError as error:
            raise Unavailable(f"Temporal does not list the leases now: {error.message}") from error
        return FoundLost(lost=tuple(lost[: request.most]), orphans=tuple(orphans[: request.most]))


async def _lost(client: Client) -> AsyncIterator[LeaseRequest]:
    seen: set[str] = set()
    async for one in client.list_workflows(_LOST):
        if one.id in seen or not _is_lease(one):
            continue
        seen.add(one.id)  # the list begins with the newest
        newest = await _described(client, one.id)
        view = await view_of(one)
        if newest is not None and newest.run_id == one.run_id and view is not None:
            yield view.lease


async def _orphans(client: Client) -> AsyncIterator[Orphan]:
    alive: dict[str, bool] = {}
    async for one in client.list_workflows(f"{_LEASES} AND ExecutionStatus = 'Running'"):
        view = await view_of(one) if _is_lease(one) else None
        if (owner := _waits_for(view)) is None:
            continue
        if owner.workflow_id not in alive:
            alive[owner.workflow_id] = await _runs(client, owner.workflow_id)
        if not alive[owner.workflow_id]:
            yield Orphan(lease=one.id, owner=owner)


def _waits_for(view: LeaseView | None) -> Owner | None:
    """Whose end would end it."""
    return view.lease.owner if view is not None and not view.lease.ending else None


def _is_lease(found: WorkflowExecution) -> bool:
    """On another queue than the goals', whoever polls it would speak as a lease."""
    return (found.workflow_type, found.task_queue) == (LEASE_WORKFLOW, TaskQueue.GOALS)


async def _runs(client: Client, workflow_id: str) -> bool:
    """Whether any run of that goal is under way: one that was reset goes on as another run."""
    found = await _described(client, workflow_id)
    return found is not None and found.status is WorkflowExecutionStatus.RUNNING


async def _described(client: Client, workflow_id: str) -> WorkflowExecution | None:
    try:
        return await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status in _NOT_THERE:
            return None
        raise Unavailable(f"Temporal cannot be asked about {workflow_id!r} now: {error.message}") from error
