"""Approvals that nobody waits for any more, found by looking: their messages lose their buttons within a minute.

A goal that is reset leaves its approvals behind, and an approval that is terminated can tell nobody. The first is told
that its goal is gone, and ends by itself; for the second a notice is started, under an id that there is once, so that
several gateways, and one that starts again, tell it once. What a notice says is the server's word; see `lost`.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final, Never

import structlog
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from hitl.gateway.lost import is_lost, last_word
from hitl.gateway.server import NotAnApproval, Server, quoted
from workflows.approval_contracts import APPROVAL_WORKFLOW, NOTICE_WORKFLOW

_EVERY_S: Final = 20.0
_AT_FIRST: Final = timedelta(days=1)
"""What happened while no gateway ran."""
_BACK: Final = timedelta(minutes=5)
"""Looked at again each time: the server's index is late at times."""
_LOST: Final = "ExecutionStatus IN ('Terminated', 'TimedOut', 'Failed')"
_GONE: Final = "The goal that asked for it is gone."
_log = structlog.get_logger("banksman.gateway")


class Sweeper:
    """Looks now and then. It holds nothing that another look would not find again.

    Args:
        server: Temporal.
        every: Seconds between two looks.
    """

    def __init__(self, server: Server, *, every: float = _EVERY_S) -> None:
        self._server = server
        self._every = every
        self._since = datetime.now(UTC) - _AT_FIRST
        self._done: dict[str, datetime] = {}

    async def run(self) -> Never:
        """For as long as the process lives."""
        while True:
            try:
                await self.sweep()
            except RPCError as error:
                _log.warning("approvals that nobody waits for were not looked for", why=error.message)
            await asyncio.sleep(self._every)

    async def sweep(self) -> None:
        """One look.

        Raises:
            RPCError: The server cannot be reached.
        """
        began = datetime.now(UTC)
        async for one in self._ended():
            try:
                await (self._tell(one) if one.workflow_type == APPROVAL_WORKFLOW else self._end_left_behind(one))
            except Exception as error:  # noqa: BLE001 - anybody can end anything: one must not keep the others' buttons
                _log.warning("one that ended could not be looked after", workflow_id=one.id, why=str(error))
        self._since = max(self._since, began - _BACK)
        self._done = {run: at for run, at in self._done.items() if at > self._since}

    async def _ended(self) -> AsyncIterator[WorkflowExecution]:
        """What was ended from outside since, each of it once: until the index must have all that belongs to it."""
        query = f"{_LOST} AND CloseTime > '{self._since.isoformat()}'"
        async for one in self._server.client.list_workflows(query):
            if one.run_id in self._done:
                continue
            yield one
            if one.close_time and one.close_time < datetime.now(UTC) - _BACK / 5:
                self._done[one.run_id] = one.close_time

    async def _tell(self, lost: WorkflowExecution) -> None:
        try:
            found = await self._server.approval(lost.id, lost.run_id)
        except NotAnApproval:
            return  # nobody was shown it
        if not is_lost(found):
            return
        try:
            await self._server.client.start_workflow(
                NOTICE_WORKFLOW,
                last_word(found),
                id=f"{lost.id}/gone/{lost.run_id}",
                task_queue=TaskQueue.GOALS,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary="Say that it ended without a word",
            )
        except WorkflowAlreadyStartedError:
            return
        _log.info("an approval ended without a word", approval=lost.id, status=found.status.name.lower())

    async def _end_left_behind(self, goal: WorkflowExecution) -> None:
        """A reset terminates a run, and leaves its approvals; any other end cancels them."""
        if goal.status is not WorkflowExecutionStatus.TERMINATED:
            return
        of_it = f"ParentWorkflowId = {quoted(goal.id)}"
        query = f"WorkflowType = '{APPROVAL_WORKFLOW}' AND ExecutionStatus = 'Running' AND {of_it}"
        async for one in self._server.client.list_workflows(query):
            if one.parent_run_id == goal.run_id:
                handle = self._server.client.get_workflow_handle(one.id, run_id=one.run_id)
                await handle.signal("superseded", _GONE)
                _log.info("an approval was left behind by a goal that is gone", approval=one.id, goal=goal.id)
