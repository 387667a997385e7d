"""What the console shows, read from the Temporal server: lists by visibility, the plan from the event that began it.

The plan is taken from the first event of the approval's history, decoded here: a query would be answered by whatever
worker polls the queue. Where an approval stands is asked of the worker, or of its result once it has one.
"""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from hitl.console.ports import ApprovalRow, GoalRow, Listed, ShownApproval, Unavailable
from hitl.plan import Plan, PlanError, plan_digest, read_plan
from workflows.approval_contracts import APPROVAL_WORKFLOW, ApprovalRequest, ApprovalResult, ApprovalState, ApprovalView
from workflows.contracts import STATE_ATTRIBUTE
from workflows.registry import GOALS

PAGE: Final = 25
_PATIENCE: Final = timedelta(seconds=3)
_FOR_VIEWS_S: Final = 2.0
"""For all views of a page together: without workers, a list is shown all the same, and soon."""
_AT_ONCE: Final = 8
_NOT_THERE: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})
_UNKNOWN: Final = (
    TimeoutError,
    RPCError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    ApplicationError,
    RuntimeError,
    ValueError,
)
"""How a question to a worker, or reading its answer, fails."""


class TemporalApprovals:
    """Approvals, as the server tells of them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def waiting(self, page: str | None = None) -> Listed[ApprovalRow]:
        """Those that wait."""
        return await self._list(f"WorkflowType = '{APPROVAL_WORKFLOW}' AND ExecutionStatus = 'Running'", page)

    async def decided(self, page: str | None = None, *, outcome: ApprovalState | None = None) -> Listed[ApprovalRow]:
        """Those that ended."""
        so = f" AND {STATE_ATTRIBUTE.name} = '{outcome}'" if outcome else ""
        return await self._list(f"WorkflowType = '{APPROVAL_WORKFLOW}' AND ExecutionStatus != 'Running'{so}", page)

    async def show(self, approval_id: str) -> ShownApproval | None:
        """One of them."""
        try:
            found = await self._client.get_workflow_handle(approval_id).describe(rpc_timeout=_PATIENCE)
            if found.workflow_type != APPROVAL_WORKFLOW:
                return None
            text = await self._text(found)
        except RPCError as error:
            if error.status in _NOT_THERE:
                return None
            raise _unavailable(error) from error
        plan, problem = _read(text)
        row = _row(found, plan=plan, view=await self._view(found, until=_soon()))
        return ShownApproval(row=row, text=text, digest=plan_digest(text), problem=problem)

    async def _list(self, query: str, page: str | None) -> Listed[ApprovalRow]:
        found, total, more = await _page(self._client, query, page)
        until = _soon()
        rows = await asyncio.gather(*(self._listed(one, until=until) for one in found))
        return Listed(rows=rows, total=total, next=more)

    async def _listed(self, found: WorkflowExecution, *, until: float) -> ApprovalRow:
        try:
            plan, _ = _read(await self._text(found))
        except RPCError:
            plan = None
        return _row(found, plan=plan, view=await self._view(found, until=until))

    async def _view(self, found: WorkflowExecution, *, until: float) -> ApprovalView | None:
        """How it stands; None where nobody can say before that moment of the loop's clock."""
        handle = self._client.get_workflow_handle(found.id, run_id=found.run_id)
        try:
            async with asyncio.timeout_at(until), self._at_once:
                if found.status is WorkflowExecutionStatus.COMPLETED:
                    ended = self._client.get_workflow_handle(found.id, run_id=found.run_id, result_type=ApprovalResult)
                    return (await ended.result(follow_runs=False)).view
                return await handle.query("view", result_type=ApprovalView, rpc_timeout=_PATIENCE)
        except _UNKNOWN:
            return None

    async def _text(self, found: WorkflowExecution) -> str:
        """The plan's text, from the first event; empty where the approval was started with something else."""
        handle = self._client.get_workflow_handle(found.id, run_id=found.run_id)
        async for event in handle.fetch_history_events(page_size=1, rpc_timeout=_PATIENCE):
            given = event.workflow_execution_started_event_attributes.input.payloads
            try:
                [request] = await self._client.data_converter.decode(given, [ApprovalRequest])
                return request.plan if isinstance(request, ApprovalRequest) else ""
            except (ApplicationError, RuntimeError, ValueError):
                return ""
        return ""


class TemporalGoals:
    """Running goals, as the server tells of them. Starting is not here: it has to be signed."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def running(self, page: str | None = None) -> Listed[GoalRow]:
        """Those under way."""
        names = ", ".join(f"'{goal.name}'" for goal in GOALS)
        query = f"WorkflowType IN ({names}) AND ExecutionStatus = 'Running'"
        found, total, more = await _page(self._client, query, page)
        rows = [
            GoalRow(
                id=one.id,
                run_id=one.run_id,
                name=one.workflow_type,
                state=one.typed_search_attributes.get(STATE_ATTRIBUTE) or "running",
                started_at=one.start_time,
            )
            for one in found
        ]
        return Listed(rows=rows, total=total, next=more)


async def _page(client: Client, query: str, page: str | None) -> tuple[Sequence[WorkflowExecution], int, str | None]:
    try:
        token = base64.urlsafe_b64decode(page) if page else None
        found = client.list_workflows(query, page_size=PAGE, next_page_token=token, rpc_timeout=_PATIENCE)
        await found.fetch_next_page()
        total = (await client.count_workflows(query, rpc_timeout=_PATIENCE)).count
    except (binascii.Error, ValueError) as error:
        raise Unavailable("There is no such page of the list; begin at its first.") from error
    except RPCError as error:
        raise _unavailable(error) from error
    more = base64.urlsafe_b64encode(found.next_page_token).decode() if found.next_page_token else None
    return list(found.current_page or ()), total, more


def _soon() -> float:
    return asyncio.get_running_loop().time() + _FOR_VIEWS_S


def _read(text: str) -> tuple[Plan | None, str]:
    """The plan; or why there is none."""
    try:
        return read_plan(text), ""
    except PlanError as error:
        return None, str(error)


def _row(found: WorkflowExecution, *, plan: Plan | None, view: ApprovalView | None) -> ApprovalRow:
    return ApprovalRow(
        id=found.id,
        run_id=found.run_id,
        state=_state(found, view),
        opened_at=found.start_time,
        closed_at=found.close_time,
        goal=found.parent_id or None,
        goal_run_id=found.parent_run_id or None,
        plan=plan,
        view=view,
    )


def _state(found: WorkflowExecution, view: ApprovalView | None) -> str:
    """Terminated ones never said that they ended: of these, the server's word counts."""
    if found.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED}:
        if view is not None:
            return view.state
        return found.typed_search_attributes.get(STATE_ATTRIBUTE) or ApprovalState.WAITING
    told = found.typed_search_attributes.get(STATE_ATTRIBUTE)
    if told and told != ApprovalState.WAITING:
        return told
    return found.status.name.lower() if found.status else ApprovalState.SUPERSEDED


def _unavailable(error: RPCError) -> Unavailable:
    return Unavailable(f"Temporal does not answer just now ({error.status.name.lower()}); reload in a moment.")
