"""What an investigation found, below the message by which people were told of the goal: an approval, or a parking.

Which goal is meant, the server says: the one that the investigation was started for, which is the parent of whoever
asks. The words are a model's; they are plain text here, and say so.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio import activity
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.server import Server, quoted
from hitl.hidden import unhidden
from hitl.slack.blocks import escaped, plain
from hitl.slack.client import SlackMessages
from hitl.slack.messages import EVENT_TYPE
from hitl.slack.parked import PARKED_TYPE, notice_id
from hitl.slack.thread import Line
from workflows.agent.findings_contracts import FINDINGS_NOTICE, TELL_FINDINGS, TellFindings, ToldFindings
from workflows.agent.goals import INVESTIGATE, InvestigateInput
from workflows.approval.contracts import APPROVAL_WORKFLOW
from workflows.parked_contracts import PARKED_NOTICE

_LONGEST: Final = 2500
_LOOKED_AT: Final = 5
"""The newest messages about a goal that are looked for."""


@dataclass(frozen=True, kw_only=True)
class _Investigation:
    id: str
    run_id: str
    goal: str


class FindingsSteps:
    """The step.

    Args:
        messages: Slack's.
        server: Temporal.
        policy: Names the channel.
    """

    def __init__(self, messages: SlackMessages, server: Server, policy: PolicyInForce) -> None:
        self._messages, self._server, self._policy = messages, server, policy

    @implements(TELL_FINDINGS)
    async def tell_findings(self, request: TellFindings) -> ToldFindings:
        """Say it in the goal's thread, once however often this is tried; nowhere where nobody was told of the goal.

        Raises:
            InvalidRequest: It is not said by the notice of an investigation of a goal.
            ConnectorError: By Slack's errors.
        """
        channel = self._policy.current().environments[self._policy.environment].slack_channel
        try:
            asks = await self._investigation()
            told = [one async for one in self._told(asks.goal)]
        except RPCError as error:
            raise Unavailable("Temporal cannot be asked about a goal now; it is tried again") from error
        for about, kind, since in told if channel is not None else ():
            there = await self._messages.find(str(channel), about, since=since, kind=kind)
            if there is None:
                continue
            line = _line(asks, request.lines)
            if line.key not in await self._messages.said_in_thread(str(channel), there.ts):
                await self._messages.say_in_thread(str(channel), there.ts, line)
            return ToldFindings(channel=str(channel), ts=there.ts)
        return ToldFindings()

    async def _investigation(self) -> _Investigation:
        info = activity.info()
        notice = await self._server.describe(info.workflow_id, info.workflow_run_id) if info.workflow_id else None
        # On another queue than the goals', whoever polls it would speak as one of them.
        if notice is None or (notice.workflow_type, notice.task_queue) != (FINDINGS_NOTICE, TaskQueue.GOALS):
            raise InvalidRequest(f"what was found, only a {FINDINGS_NOTICE} says")
        found = await self._server.describe(notice.parent_id, notice.parent_run_id) if notice.parent_id else None
        if found is None or (found.workflow_type, found.task_queue) != (INVESTIGATE.name, TaskQueue.GOALS):
            raise InvalidRequest(f"no investigation left this {FINDINGS_NOTICE}")
        first = await self._server.first_event(found.id, found.run_id)
        given = list(first.workflow_execution_started_event_attributes.input.payloads)
        try:
            [plain_input] = await self._server.plain(given)
            goal = InvestigateInput.model_validate_json(plain_input.data).goal
        except (ValueError, RuntimeError) as error:
            raise InvalidRequest("what the investigation was asked cannot be read") from error
        if goal is None:
            raise InvalidRequest("the investigation is of no goal: there is no thread to say it in")
        return _Investigation(id=found.id, run_id=found.run_id, goal=goal)

    async def _told(self, goal: str) -> AsyncIterator[tuple[str, str, datetime]]:
        """By what messages about the goal are found: its approvals, then its parkings, the newest first."""
        for workflow_type in (APPROVAL_WORKFLOW, PARKED_NOTICE):
            asked = f"WorkflowType = {quoted(workflow_type)} AND ParentWorkflowId = {quoted(goal)}"
            found = [one async for one in self._server.client.list_workflows(asked, limit=_LOOKED_AT)]
            for one in sorted(found, key=lambda one: one.start_time, reverse=True):
                yield _about(one), EVENT_TYPE if workflow_type == APPROVAL_WORKFLOW else PARKED_TYPE, one.start_time


def _about(one: WorkflowExecution) -> str:
    return one.id if one.workflow_type == APPROVAL_WORKFLOW else notice_id((one.id, one.run_id))


def _line(asks: _Investigation, lines: tuple[str, ...]) -> Line:
    head = f"Investigated by {unhidden(asks.id)}, in the words of a language model:"
    shown = "\n".join([head, *(f"• {unhidden(one)}" for one in lines)])[:_LONGEST]
    return Line(key=f"findings/{asks.run_id}", text=escaped(shown), blocks=({"type": "section", "text": plain(shown)},))
