"""Approvals that nobody waits for any more, found by looking: their messages lose their buttons within a minute.

A goal that is reset leaves its approvals behind, and an approval that is terminated can tell nobody. The first is told
that its goal is gone, and ends by itself; for the second a notice is started, under an id that there is once, so that
several gateways, and one that starts again, tell it once. What a notice says is the server's word; see `lost`. That id
can be foreseen, so whatever holds it is looked at: where it is no notice that tells this, another is started.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Never

import structlog
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from hitl.gateway.lost import is_lost, last_word
from hitl.gateway.server import NotAnApproval, Server, quoted
from workflows.approval.contracts import APPROVAL_WORKFLOW, NOTICE_WORKFLOW, UpdateApproval

_EVERY_S: Final = 20.0
_AT_FIRST: Final = timedelta(days=1)
"""What happened while no gateway ran."""
_BACK: Final = timedelta(minutes=5)
"""Looked at again each time: the server's index is late at times."""
_INDEXED: Final = timedelta(minutes=1)
"""After that the index has all that belongs to what ended."""
_TRIES: Final = 30
_EACH_LOOK: Final = 3
"""So many tries are made one look after the other; then each waits twice as long as the one before, an hour at most."""
_LONGEST_REST: Final = 180
_LOST: Final = "ExecutionStatus IN ('Terminated', 'TimedOut', 'Failed')"
_GONE: Final = "The goal that asked for it is gone."
_log = structlog.get_logger("banksman.gateway")


@dataclass(frozen=True, kw_only=True)
class _Owed:
    """What ended, and is not looked after yet.

    Attributes:
        tries: So many were made, and failed, or left in doubt whether people were told.
        next_look: The number of the look that it is tried at again.
    """

    ended: WorkflowExecution
    tries: int = 0
    next_look: int = 0


class Sweeper:
    """Looks now and then. What it could not look after it tries again, for about a day.

    One that starts anew looks at all of the last day.

    Args:
        server: Temporal.
        every: Seconds between two looks.
    """

    def __init__(self, server: Server, *, every: float = _EVERY_S) -> None:
        self._server = server
        self._every = every
        self._since = datetime.now(UTC) - _AT_FIRST
        self._looks = 0
        self._owed: dict[str, _Owed] = {}
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
        self._looks += 1
        for owed in [one for one in self._owed.values() if one.next_look <= self._looks]:
            await self._look_after(owed)
        async for one in self._ended():
            await self._look_after(_Owed(ended=one))
        self._since = max(self._since, began - _BACK)
        self._done = {run: at for run, at in self._done.items() if at > self._since}

    async def _ended(self) -> AsyncIterator[WorkflowExecution]:
        """What was ended from outside since, and was not seen yet."""
        query = f"{_LOST} AND CloseTime > '{self._since.isoformat()}'"
        async for one in self._server.client.list_workflows(query):
            if one.run_id not in self._done and one.run_id not in self._owed:
                yield one

    async def _look_after(self, owed: _Owed) -> None:
        """Try to; what is not done then is owed still."""
        one, tries = owed.ended, owed.tries + 1
        try:
            done = await (self._tell(one) if one.workflow_type == APPROVAL_WORKFLOW else self._end_left_behind(one))
        except Exception as error:  # noqa: BLE001 - anybody can end anything: one must not keep the others' buttons
            done = False
            _log.warning("one that ended could not be looked after", workflow_id=one.id, why=str(error), tries=tries)
        if done or tries >= _TRIES:
            self._owed.pop(one.run_id, None)
            self._done[one.run_id] = one.close_time or datetime.now(UTC)
        else:
            rest = min(2 ** max(tries - _EACH_LOOK, 0), _LONGEST_REST)
            self._owed[one.run_id] = _Owed(ended=one, tries=tries, next_look=self._looks + rest)

    async def _tell(self, lost: WorkflowExecution) -> bool:
        """Have people told; False where that is not certain yet."""
        try:
            found = await self._server.approval(lost.id, lost.run_id)
        except NotAnApproval:
            return True  # nobody was shown it
        if not is_lost(found):
            return True
        last, notice = last_word(found), f"{lost.id}/gone/{lost.run_id}"
        try:
            await self._start_notice(last, notice)
        except WorkflowAlreadyStartedError:
            if (told := await self._tells(notice, last)) is not None:
                return told
            _log.warning("what has the id of a notice tells nobody", approval=lost.id, notice=notice)
            await self._start_notice(last, f"{notice}/{secrets.token_hex(8)}")
            return True
        _log.info("an approval ended without a word", approval=lost.id, status=found.status.name.lower())
        return False  # looked at again: anybody can end the notice

    async def _start_notice(self, last: UpdateApproval, notice: str) -> None:
        await self._server.client.start_workflow(
            NOTICE_WORKFLOW,
            last,
            id=notice,
            task_queue=TaskQueue.GOALS,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary="Say that it ended without a word",
        )

    async def _tells(self, notice: str, last: UpdateApproval) -> bool | None:
        """Whether what has this id has told people; None where it will not."""
        holder = await self._server.describe(notice)
        if holder is None or (holder.workflow_type, holder.task_queue) != (NOTICE_WORKFLOW, TaskQueue.GOALS):
            return None
        completed = holder.status is WorkflowExecutionStatus.COMPLETED
        delayed = holder.execution_time != holder.start_time  # by a year, for all we know
        if not completed and (holder.status is not WorkflowExecutionStatus.RUNNING or delayed):
            return None
        first = await self._server.first_event(holder.id, holder.run_id)
        given = first.workflow_execution_started_event_attributes.input.payloads
        try:
            [said] = await self._server.client.data_converter.decode(given, [UpdateApproval])
        except (ApplicationError, RuntimeError, ValueError):
            return None
        about = (said.view.id, said.view.run_id) if isinstance(said, UpdateApproval) else None
        return completed if about == (last.view.id, last.view.run_id) else None

    async def _end_left_behind(self, goal: WorkflowExecution) -> bool:
        """A reset terminates a run, and leaves its approvals; any other end cancels them.

        False where there may be more of them than the index knows yet.
        """
        if goal.status is not WorkflowExecutionStatus.TERMINATED:
            return True
        began = datetime.now(UTC)
        of_it = f"ParentWorkflowId = {quoted(goal.id)}"
        query = f"WorkflowType = '{APPROVAL_WORKFLOW}' AND ExecutionStatus = 'Running' AND {of_it}"
        async for one in self._server.client.list_workflows(query):
            if one.parent_run_id == goal.run_id:
                handle = self._server.client.get_workflow_handle(one.id, run_id=one.run_id)
                await handle.signal("superseded", _GONE)
                _log.info("an approval was left behind by a goal that is gone", approval=one.id, goal=goal.id)
        return goal.close_time is None or goal.close_time < began - _INDEXED
