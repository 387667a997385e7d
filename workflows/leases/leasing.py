"""The goal's side of leases: take one before something is made, hand it over, end it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.leases.contracts import LEASE_MEMO, LEASE_WORKFLOW, LeaseRequest, Owner
    from activities.leases.views import LeaseState, LeaseView
    from hitl.hidden import visible
    from workflows.contracts import GoalInput
    from workflows.goal import Goal, Result
    from workflows.leases.contracts import LeaseResult, LeaseSaid, LeaseTaken, OwnerChanged, OwnerGone
    from workflows.leases.lease import heard

_ANSWERS_WITHIN: Final = timedelta(seconds=30)
_AGAIN: Final = timedelta(seconds=5)


async def start_lease(lease: LeaseRequest, *, parent: ParentClosePolicy) -> workflow.ChildWorkflowHandle[Any, Any]:
    """Start a lease as a child.

    Args:
        lease: What it is to hold.
        parent: What becomes of it when this workflow closes.

    Raises:
        WorkflowAlreadyStartedError: There is one of that thing.
    """
    view = LeaseView(state=LeaseState.ENDING if lease.ending else LeaseState.HELD, lease=lease)
    child = await workflow.start_child_workflow(
        LEASE_WORKFLOW,
        lease,
        id=lease.id,
        cancellation_type=ChildWorkflowCancellationType.ABANDON,
        parent_close_policy=parent,
        memo={LEASE_MEMO: view.model_dump(mode="json")},
        static_summary=visible(f"Hold {lease.title} {lease.leased.name}"),
        result_type=LeaseResult,
    )
    child.add_done_callback(heard)
    return child


class LeasingGoal(Goal):
    """A goal that holds what has an end. Not a workflow by itself.

    It takes the lease first and creates then: a worker that dies in between leaves a lease that ends whatever carries
    the mark, and never a thing that nobody ends.
    """

    def __init__(self, request: GoalInput) -> None:
        super().__init__(request)
        self._said: dict[str, LeaseSaid] = {}
        self._children: dict[str, workflow.ChildWorkflowHandle[Any, Any]] = {}
        self._taken_over: set[str] = set()

    @workflow.signal
    def lease_said(self, said: LeaseSaid) -> None:
        """From a lease that this goal wants to take over."""
        self._said[said.lease] = said

    async def run_goal(self, work: Awaitable[Result], *, denied: Callable[[str], Result]) -> Result:
        """The same, and at its end tell leases that another run had started: the server ends this run's own ones.

        Raises:
            ApplicationError: A step failed for good.
        """
        try:
            result = await super().run_goal(work, denied=denied)
        except (Exception, asyncio.CancelledError):
            await self._let_go()
            raise
        await self._let_go()
        return result

    async def take_lease(self, lease: LeaseRequest) -> str:
        """Hold it from now on, until this goal's run is over; one that is being ended is waited for first.

        Args:
            lease: As `LeaseKind.lease` makes it.

        Returns:
            The lease's workflow id.
        """
        mine = lease.model_copy(update={"owner": _this_goal()})
        while True:
            try:
                self._children[mine.id] = await start_lease(mine, parent=ParentClosePolicy.REQUEST_CANCEL)
            except WorkflowAlreadyStartedError:
                if await self._take_over(mine):
                    self._taken_over.add(mine.id)
                    return mine.id
                self.begin(f"Wait for the end of an earlier {mine.title} {mine.leased.name}")
                await workflow.sleep(_AGAIN)
            else:
                return mine.id

    async def hand_over_lease(self, lease: str, to: Owner | None = None) -> None:
        """Let it live on without this goal: with another one, or until its own end."""
        await _signal_lease(lease, "owner_changed", OwnerChanged(before=_this_goal(), now=to))
        self._children.pop(lease, None)
        self._taken_over.discard(lease)

    async def end_lease(self, lease: str) -> LeaseResult | None:
        """End it now, and wait until its provider says that the thing is gone.

        Returns:
            How it ended; None where another run had started the lease: it ends all the same, and nobody waits.
        """
        why = "the goal that held it needs it no longer"
        await _signal_lease(lease, "owner_gone", OwnerGone(owner=_this_goal(), why=why))
        child = self._children.pop(lease, None)
        self._taken_over.discard(lease)
        return await asyncio.shield(child) if child is not None else None

    async def lease_over(self, lease: str) -> LeaseResult | None:
        """Wait until it has ended, by its time, by a person or by whatever else: its provider says that it is gone.

        Returns:
            How it ended; None where it was another run's, or was ended from outside and taken up by the sweep.
        """
        child = self._children.get(lease)
        if child is not None:
            with contextlib.suppress(ChildWorkflowError):
                return await asyncio.shield(child)
        await workflow.wait_condition(lambda: lease in self._said and not self._said[lease].taken)
        return None

    async def _let_go(self) -> None:
        for lease in sorted(self._taken_over):
            await _signal_lease(lease, "owner_gone", OwnerGone(owner=_this_goal()))

    async def _take_over(self, lease: LeaseRequest) -> bool:
        self._said.pop(lease.id, None)
        owner = _this_goal()
        wish = LeaseTaken(owner=owner, ends_at=lease.ends_at, answer_to=workflow.info().run_id)
        if not await _signal_lease(lease.id, "taken", wish):
            return False
        try:
            await workflow.wait_condition(lambda: lease.id in self._said, timeout=_ANSWERS_WITHIN)
        except TimeoutError:
            return False
        return self._said[lease.id].taken


def _this_goal() -> Owner:
    return Owner(workflow_id=workflow.info().workflow_id)


async def _signal_lease(lease: str, name: str, said: object) -> bool:
    """Whether there is such a lease, and it was told."""
    handle = workflow.get_external_workflow_handle(lease)
    try:
        # Let go, never cancelled: a signal that is cancelled in the task that sends it wedges the workflow.
        await asyncio.shield(handle.signal(name, said))
    except ApplicationError:
        return False
    return True
