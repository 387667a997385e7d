"""What the console shows, read from the Temporal server: lists by visibility, the plan from the event that began it.

The plan is taken from the first event of the approval's history, decoded here: a query would be answered by whatever
worker polls the queue. Where an approval stands is asked of the worker, or of its result once it has one.
"""

import asyncio
from dataclasses import replace
from typing import Final

from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from hitl.approval.plan import PlanError, plan_digest
from hitl.approval.sequence import AnyPlan, read_any_plan
from hitl.console.goals.filter import quoted
from hitl.console.goals.seen import how_it_ended
from hitl.console.inbox.step_ends import became, notice_about, notices_of, was_let_go_on, words_of
from hitl.console.ports import ApprovalRow, Listed, ShownApproval, Unavailable
from hitl.console.server_lists import NOT_THERE, PAGE, PATIENCE, UNKNOWN, fetch_page, fetch_some, soon, unavailable
from workflows.approval.contracts import (
    APPROVAL_WORKFLOW,
    ApprovalOutcome,
    ApprovalRequest,
    ApprovalResult,
    ApprovalView,
)
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.standing import standing_of

_AT_ONCE: Final = 8


class TemporalApprovals:
    """Approvals, as the server tells of them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def waiting(self, page: str | None = None) -> Listed[ApprovalRow]:
        """Those that wait."""
        return await self._list(f"WorkflowType = '{APPROVAL_WORKFLOW}' AND ExecutionStatus = 'Running'", page)

    async def decided(self, page: str | None = None, *, outcome: ApprovalOutcome | None = None) -> Listed[ApprovalRow]:
        """Those that ended."""
        so = f" AND {STATE_ATTRIBUTE.name} = '{outcome}'" if outcome else ""
        return await self._list(f"WorkflowType = '{APPROVAL_WORKFLOW}' AND ExecutionStatus != 'Running'{so}", page)

    async def show(self, approval_id: str) -> ShownApproval | None:
        """One of them."""
        try:
            found = await self._client.get_workflow_handle(approval_id).describe(rpc_timeout=PATIENCE)
            if found.workflow_type != APPROVAL_WORKFLOW:
                return None
            text = await self._text(found)
        except RPCError as error:
            if error.status in NOT_THERE:
                return None
            raise unavailable(error) from error
        plan, problem = _read(text)
        row = _row(found, plan=plan, view=await self._view(found, until=soon()))
        then, told = await self._became(row)
        return ShownApproval(
            row=replace(row, then=then), text=text, digest=plan_digest(text), problem=problem, told=told
        )

    async def _became(self, row: ApprovalRow) -> tuple[str | None, str]:
        """What became of the step that was let go on, in one word and in others."""
        if row.goal is None or row.goal_run_id is None or not was_let_go_on(row):
            return None, ""
        try:
            notices = await notices_of(self._client, [row.goal_run_id])
            goal = self._client.get_workflow_handle(row.goal, run_id=row.goal_run_id)
            found = await goal.describe(rpc_timeout=PATIENCE)
        except (RPCError, Unavailable):
            return None, ""
        then = became(row, notices, {row.goal_run_id: standing_of(found)})
        if (notice := notice_about(row, notices)) is not None:
            return then, await words_of(self._client, notice)
        return then, await how_it_ended(self._client, found, until=soon()) if then else ""

    async def _list(self, query: str, page: str | None) -> Listed[ApprovalRow]:
        found, total, more = await fetch_page(self._client, query, page)
        until = soon()
        rows = await asyncio.gather(*(self._listed(one, until=until) for one in found))
        return Listed(rows=await self._with_their_ends(rows), total=total, next=more)

    async def _with_their_ends(self, rows: list[ApprovalRow]) -> list[ApprovalRow]:
        """The same, with what became of the steps that were let go on; without, where the server does not say now."""
        runs = sorted({row.goal_run_id for row in rows if row.goal_run_id and was_let_go_on(row)})
        if not runs:
            return rows
        try:
            found, _ = await fetch_some(self._client, f"RunId IN ({', '.join(map(quoted, runs))})", None, size=PAGE)
            notices = await notices_of(self._client, runs)
        except Unavailable:
            return rows
        goals = {one.run_id: standing_of(one) for one in found}
        return [replace(row, then=became(row, notices, goals)) for row in rows]

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
                return await handle.query("view", result_type=ApprovalView, rpc_timeout=PATIENCE)
        except UNKNOWN:
            return None

    async def _text(self, found: WorkflowExecution) -> str:
        """The plan's text, from the first event; empty where the approval was started with something else."""
        handle = self._client.get_workflow_handle(found.id, run_id=found.run_id)
        async for event in handle.fetch_history_events(page_size=1, rpc_timeout=PATIENCE):
            given = event.workflow_execution_started_event_attributes.input.payloads
            try:
                [request] = await self._client.data_converter.decode(given, [ApprovalRequest])
                return request.plan if isinstance(request, ApprovalRequest) else ""
            except (ApplicationError, RuntimeError, ValueError):
                return ""
        return ""


def _read(text: str) -> tuple[AnyPlan | None, str]:
    """The plan; or why there is none."""
    try:
        return read_any_plan(text), ""
    except PlanError as error:
        return None, str(error)


def _row(found: WorkflowExecution, *, plan: AnyPlan | None, view: ApprovalView | None) -> ApprovalRow:
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
    if view is not None and found.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED}:
        return view.state
    standing = standing_of(found)
    return State.WAITING if standing == State.RUNNING else standing
