"""Cheap looks at what pages show: whether the server knows something newer, without asking any worker."""

import asyncio
from collections.abc import Sequence
from typing import Final

from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError

from hitl.console.goals.filter import GoalFilter, quoted
from hitl.console.inbox.step_ends import notices_of
from hitl.console.leases.seen import RUNNING
from hitl.console.server_lists import NOT_THERE, PAGE, PATIENCE, fetch_some, unavailable
from workflows.approval.contracts import APPROVAL_WORKFLOW
from workflows.contracts import STATE_ATTRIBUTE

_APPROVALS: Final = f"WorkflowType = {quoted(APPROVAL_WORKFLOW)}"
_AT_ONCE: Final = 8
_BELOW: Final = 200


class TemporalMarks:
    """A text for each page, which is another whenever the page would be."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def waiting(self) -> str:
        """Of what waits: a decision that leaves it waiting shows in how long its history is alone."""
        found = await self._list(f"{_APPROVALS} AND ExecutionStatus = 'Running'")
        lengths = await asyncio.gather(*(self._run(one.id, one.run_id) for one in found))
        return "\n".join(lengths)

    async def decided(self) -> str:
        """Of what was decided, and what became of the steps that were let go on."""
        found = await self._list(f"{_APPROVALS} AND ExecutionStatus != 'Running'")
        runs = sorted({one.parent_run_id for one in found if one.parent_run_id})
        goals = await self._list(f"RunId IN ({', '.join(map(quoted, runs))})") if runs else ()
        return _told([*found, *goals, *await notices_of(self._client, runs)])

    async def goals(self, wanted: GoalFilter) -> str:
        """Of the goals that are looked for, a text left aside; of jobs those that have not begun, too."""
        waiting = await self._list(query) if (query := wanted.not_begun_query()) else ()
        return _told([*await self._list(wanted.query()), *waiting])

    async def goal(self, goal_id: str, run_id: str | None) -> str:
        """Of one goal, with the approvals that it asked for, and whatever it started."""
        asked = await self._list(f"{_APPROVALS} AND ParentWorkflowId = {quoted(goal_id)}")
        below, _ = await fetch_some(self._client, f"RootWorkflowId = {quoted(goal_id)}", None, size=_BELOW)
        return "\n".join((await self._run(goal_id, run_id), _told(asked), _told(below)))

    async def approval(self, approval_id: str) -> str:
        """Of one approval, with the goal that waits for it, and what that has said of it."""
        try:
            found = await self._client.get_workflow_handle(approval_id).describe(rpc_timeout=PATIENCE)
        except RPCError as error:
            if error.status in NOT_THERE:
                return ""
            raise unavailable(error) from error
        goal = await self._run(found.parent_id, found.parent_run_id) if found.parent_id else ""
        notices = await notices_of(self._client, [found.parent_run_id] if found.parent_run_id else [])
        return f"{_line(found)}\n{goal}\n{_told(notices)}"

    async def leases(self) -> str:
        """Of the leases that are held or being ended: what changes in one shows in how long its history is."""
        found = await self._list(RUNNING)
        return "\n".join(await asyncio.gather(*(self._run(one.id, one.run_id) for one in found)))

    async def _run(self, workflow_id: str, run_id: str | None) -> str:
        try:
            async with self._at_once:
                handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
                return _line(await handle.describe(rpc_timeout=PATIENCE))
        except RPCError as error:
            if error.status in NOT_THERE:
                return ""
            raise unavailable(error) from error

    async def _list(self, query: str) -> Sequence[WorkflowExecution]:
        found, _ = await fetch_some(self._client, query, None, size=PAGE)
        return found


def _told(some: Sequence[WorkflowExecution]) -> str:
    return "\n".join(f"{one.run_id} {one.status} {one.typed_search_attributes.get(STATE_ATTRIBUTE)}" for one in some)


def _line(found: WorkflowExecution) -> str:
    return f"{_told([found])} {found.history_length}"
