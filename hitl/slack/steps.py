"""The steps that tell people in Slack: of approvals, of drift, of goals that are parked, of leases that do not end.

An approval's message is posted once and changed in its place from then on; a thread below it says what happened.

Whoever reaches Temporal can have a step run with any input, so what a message says of an approval is taken only from
the approval itself, and from the goal that waited for it: the server says which workflow a step belongs to.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final
from weakref import WeakValueDictionary

from prometheus_client import Histogram
from temporalio import activity
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.asked import Asked, asked_by
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.goal_starter import GoalStarter
from hitl.gateway.leases import StuckLease, stuck_lease
from hitl.gateway.lost import is_lost, last_word
from hitl.gateway.parked import ParkedGoal, parked_goal
from hitl.gateway.server import FoundApproval, NotAnApproval, Server
from hitl.slack.blocks import Shown
from hitl.slack.client import SlackMessages
from hitl.slack.drift import DRIFT_TYPE, drift_message, message_id
from hitl.slack.leases import LEASE_TYPE, lease_message
from hitl.slack.leases import message_id as lease_id
from hitl.slack.mentions import asked_at_once
from hitl.slack.messages import EVENT_TYPE, Links, approval_message
from hitl.slack.parked import PARKED_TYPE, parked_message
from hitl.slack.parked import message_id as parked_id
from hitl.slack.posting import doubts, post_once
from hitl.slack.thread import lines_about
from observability import names
from observability.durations import seconds_between
from observability.exemplars import exemplar
from workflows.approval.contracts import (
    POST_APPROVAL,
    UPDATE_APPROVAL,
    ApprovalView,
    PostApproval,
    PostedApproval,
    UpdateApproval,
)
from workflows.leases.contracts import TELL_LEASE, TellLease, ToldLease
from workflows.parked_contracts import TELL_PARKED, TellParked, ToldParked
from workflows.pulumi.drift_contracts import TELL_DRIFT, TellDrift, ToldDrift
from workflows.pulumi.goals import DETECT_DRIFT

_SHOWN: Final = Histogram(
    names.METRIC_APPROVAL_SHOWN,
    "From the question to the message that shows it to people.",
    ("risk",),
    buckets=(0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)


class SlackSteps:
    """All of them. What they are given says how it stands; what it is, they read from the server."""

    def __init__(
        self, messages: SlackMessages, server: Server, policy: PolicyInForce, *, starts: GoalStarter, links: Links
    ) -> None:
        self._messages = messages
        self._server = server
        self._policy = policy
        self._starts = starts
        self._links = links
        # Two steps about one message in this process: the later one must see what the earlier one wrote.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @implements(POST_APPROVAL)
    async def post_approval(self, request: PostApproval) -> PostedApproval:
        """Show an approval to people, once however often this is tried.

        Raises:
            InvalidRequest: It is no approval that a running goal waits for, or the policy names no channel.
            ConnectorError: By Slack's errors.
        """
        found = await self._found(request.view)
        if not found.running or not found.goal_running:
            raise InvalidRequest(f"{found.id!r} waits for nobody any more; there is nothing to show")
        channel, asked = self._channel(), await self._asked(found)
        shown = self._shown(found, request.view, asked)
        async with self._turn(found.id):
            doubt = doubts(first=request.first, since=found.opened_at)
            ts = await post_once(self._messages, channel, shown, about=found.id, kind=EVENT_TYPE, doubt=doubt)
        waited = seconds_between(found.opened_at, datetime.now(UTC))
        _SHOWN.labels(risk=found.plan.risk.value).observe(waited, exemplar())
        return PostedApproval(channel=channel, ts=ts, requester=asked.requester)

    @implements(UPDATE_APPROVAL)
    async def update_approval(self, request: UpdateApproval) -> None:
        """Show how it stands now, where it is shown; never something older than what is shown.

        Raises:
            InvalidRequest: It is no approval, or somebody else says how it stands.
            ConnectorError: By Slack's errors.
        """
        found = await self._found(request.view)
        if is_lost(found):
            request = last_word(found)
        channel = request.posted.channel if request.posted else self._channel()
        ts = request.posted.ts if request.posted else None
        asked = await self._asked(found)
        async with self._turn(found.id):
            there = await self._messages.find(channel, found.id, since=found.opened_at, ts=ts)
            if there is None:
                return  # nobody was shown it, so nobody has to be told
            shown = self._shown(found, request.view, asked, ended=request.ended, next_step=request.open_next_step())
            if there.stage < shown.stage or (there.stage == shown.stage and not request.progress):
                await self._messages.update(channel, there.ts, shown)
            await self._say(found, request, asked, channel=channel, ts=there.ts)

    def _shown(
        self, found: FoundApproval, view: ApprovalView, asked: Asked, *, ended: str = "", next_step: str = ""
    ) -> Shown:
        groups = found.request.rule.groups + ((view.escalated_to,) if view.escalated_to else ())
        mentions = asked_at_once(groups, view, asked=asked, people=self._policy.current().people)
        return approval_message(
            found, view, asked=asked, links=self._links, ended=ended, next_step=next_step, mentions=mentions
        )

    async def _say(self, found: FoundApproval, request: UpdateApproval, asked: Asked, *, channel: str, ts: str) -> None:
        """Say in the thread what has happened and was not said yet."""
        people = self._policy.current().people
        told = lines_about(
            found,
            request.view,
            asked=asked,
            people=people,
            ended=request.ended,
            next_step=request.open_next_step(),
            progress=request.progress,
        )
        lines = list(told)
        said = await self._messages.said_in_thread(channel, ts) if lines else {}
        for line in lines:
            if line.worth_saying(said, now=time.time()):
                await self._messages.say_in_thread(channel, ts, line)

    @implements(TELL_DRIFT)
    async def tell_drift(self, request: TellDrift) -> ToldDrift:
        """Tell people what drifted, once however often this is tried.

        Raises:
            InvalidRequest: No running `DetectDrift` says it, or the policy names no channel.
            ConnectorError: By Slack's errors.
        """
        goal, channel = await self._looks_for_drift(), self._channel()
        shown = drift_message(request, goal, environment=self._policy.environment, links=self._links)
        about = message_id(request, goal)
        async with self._turn(about):
            doubt = doubts(first=False, since=goal.start_time)
            ts = await post_once(self._messages, channel, shown, about=about, kind=DRIFT_TYPE, doubt=doubt)
        return ToldDrift(channel=channel, ts=ts)

    async def _looks_for_drift(self) -> WorkflowExecutionDescription:
        """The goal whose step this is, if it is one that may speak of drift."""
        info = activity.info()
        goal = None
        if info.in_workflow and info.workflow_id is not None:
            try:
                goal = await self._server.describe(info.workflow_id, info.workflow_run_id)
            except RPCError as error:
                raise Unavailable("Temporal cannot be asked about a goal now; it is tried again") from error
        # On another queue than the goals', whoever polls it would speak as this goal.
        kind = (goal.workflow_type, goal.task_queue, goal.status) if goal else None
        if goal is None or kind != (DETECT_DRIFT.name, TaskQueue.GOALS, WorkflowExecutionStatus.RUNNING):
            raise InvalidRequest(f"what drifted, only a running {DETECT_DRIFT.name} says; start that goal")
        return goal

    @implements(TELL_PARKED)
    async def tell_parked(self, request: TellParked) -> ToldParked:
        """Tell people that a goal is parked, once however often this is tried; or there, that it no longer is.

        Raises:
            InvalidRequest: It is not said by the notice of a goal, or the policy names no channel.
            ConnectorError: By Slack's errors.
        """
        found = await self._parked(request)
        about = parked_id(found)
        async with self._turn(about):
            if request.posted is not None:
                await self._say_over(found, request.posted)
                return request.posted
            channel, doubt = self._channel(), doubts(first=True, since=found.since)
            if found.waits:
                shown = parked_message(found, environment=self._policy.environment, links=self._links, over=False)
                ts = await post_once(self._messages, channel, shown, about=about, kind=PARKED_TYPE, doubt=doubt)
                return ToldParked(channel=channel, ts=ts)
            there = await self._messages.find(channel, about, since=doubt, kind=PARKED_TYPE) if doubt else None
        return ToldParked(channel=channel, ts=there.ts if there else "")

    async def _say_over(self, found: ParkedGoal, posted: ToldParked) -> None:
        there = await self._messages.find(
            posted.channel, parked_id(found), since=found.since, ts=posted.ts, kind=PARKED_TYPE
        )
        shown = parked_message(found, environment=self._policy.environment, links=self._links, over=True)
        if there is not None and there.stage < shown.stage:
            await self._messages.update(posted.channel, there.ts, shown)

    async def _parked(self, request: TellParked) -> ParkedGoal:
        """The goal that is spoken of."""
        info = activity.info()
        asks = (info.workflow_id, info.workflow_run_id) if info.in_workflow else (None, None)
        try:
            return await parked_goal(self._server, workflow_id=asks[0], run_id=asks[1], step=request.step)
        except RPCError as error:
            raise Unavailable("Temporal cannot be asked about a goal now; it is tried again") from error

    @implements(TELL_LEASE)
    async def tell_lease(self, request: TellLease) -> ToldLease:
        """Tell people of a lease that cannot be ended, once however often this is tried; or there, that it has.

        Raises:
            InvalidRequest: It is not said by the notice of a lease, or the policy names no channel.
            ConnectorError: By Slack's errors.
        """
        found = await self._stuck()
        about = lease_id(found)
        over = request.posted is not None
        shown = lease_message(found, request.why, environment=self._policy.environment, links=self._links, over=over)
        async with self._turn(about):
            if request.posted is not None:
                there = await self._messages.find(
                    request.posted.channel, about, since=found.since, ts=request.posted.ts, kind=LEASE_TYPE
                )
                if there is not None and there.stage < shown.stage:
                    await self._messages.update(request.posted.channel, there.ts, shown)
                return request.posted
            channel, doubt = self._channel(), doubts(first=True, since=found.since)
            if found.runs:
                ts = await post_once(self._messages, channel, shown, about=about, kind=LEASE_TYPE, doubt=doubt)
                return ToldLease(channel=channel, ts=ts)
            posted = await self._messages.find(channel, about, since=doubt, kind=LEASE_TYPE) if doubt else None
        return ToldLease(channel=channel, ts=posted.ts if posted else "")

    async def _stuck(self) -> StuckLease:
        """The lease that is spoken of."""
        info = activity.info()
        asks = (info.workflow_id, info.workflow_run_id) if info.in_workflow else (None, None)
        try:
            return await stuck_lease(self._server, workflow_id=asks[0], run_id=asks[1])
        except RPCError as error:
            raise Unavailable("Temporal cannot be asked about a lease now; it is tried again") from error

    def _turn(self, about: str) -> asyncio.Lock:
        return self._turns.setdefault(about, asyncio.Lock())

    async def _found(self, view: ApprovalView) -> FoundApproval:
        """The approval, if it is this step's to speak of."""
        try:
            found = await self._server.approval(view.id, view.run_id)
            ours = await self._is_said_by(found)
        except NotAnApproval as error:
            raise InvalidRequest(str(error)) from error
        except RPCError as error:
            raise Unavailable("Temporal cannot be asked about an approval now; it is tried again") from error
        if not ours:
            raise InvalidRequest(f"how {found.id!r} stands, only it says itself, or the goal that waited for it")
        return found

    async def _is_said_by(self, found: FoundApproval) -> bool:
        """Whether the step is of the approval, of its goal, or of a notice that one of them left."""
        if is_lost(found):
            return True  # whoever says it: what is shown then is the server's word
        info = activity.info()
        approval, goal = (found.id, found.run_id), (found.goal, found.goal_run_id)
        if not info.in_workflow or info.workflow_id is None:
            return False
        if (info.workflow_id, info.workflow_run_id) in {approval, goal}:
            return True
        notice = await self._server.describe(info.workflow_id, info.workflow_run_id)
        return notice is not None and (notice.parent_id, notice.parent_run_id) in {approval, goal}

    async def _asked(self, found: FoundApproval) -> Asked:
        policy = self._policy.current()
        requester = await self._starts.requester(found.goal, found.goal_start, policy.people)
        return asked_by(requester, found, policy, environment=self._policy.environment)

    def _channel(self) -> str:
        policy = self._policy.current()
        channel = policy.environments[self._policy.environment].slack_channel
        if channel is None:
            raise InvalidRequest(
                f"{policy.source} names no Slack channel for {self._policy.environment!r}; "
                "add `slack_channel: C…` to it"
            )
        return channel
