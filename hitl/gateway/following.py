"""The step by which a job follows its goal: it waits on the server for news, and tells of its own child only.

Looking costs one description; the history is read when that says something new. While nothing happens it looks less and
less often.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from typing import Final

from temporalio import activity
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.approval.plan import plan_digest
from hitl.gateway.histories import HistorySteps
from hitl.gateway.server import NotAnApproval, Server
from workflows.agent.history_contracts import MOST_STEPS
from workflows.approval.contracts import APPROVAL_WORKFLOW
from workflows.catalogue import find_goal
from workflows.contracts import State
from workflows.github.following_contracts import FOLLOW_GOAL, FollowGoalRequest, GoalFollowed
from workflows.standing import standing_of

_FIRST: Final = 1.0
_LONGEST: Final = 15.0
_SLOWER: Final = 1.2
_MOST_BELOW: Final = 20
"""Goals that one look describes: of a plan that runs many at once the first."""


@dataclass(frozen=True)
class _Waits:
    """A goal below the one that is followed, and the approval that it waits for."""

    goal: WorkflowExecutionDescription
    approval: str


class FollowingSteps:
    """The step.

    Args:
        server: Temporal.
        first: Seconds between the first two looks; later ones are further apart.
    """

    def __init__(self, server: Server, *, first: float = _FIRST) -> None:
        self._server = server
        self._histories = HistorySteps(server)
        self._first = first

    @implements(FOLLOW_GOAL)
    async def follow_goal(self, request: FollowGoalRequest) -> GoalFollowed:
        """Wait until the goal has ended, stands otherwise, or was at work for a while; then tell of it.

        Raises:
            InvalidRequest: It is no child of the workflow that asks.
            Unavailable: The server does not answer, or this gateway ends: another one goes on.
        """
        since, pause, looked, seen = time.monotonic(), self._first, "", request.seen
        while True:
            try:
                found = await self._child(request)
                waits = await self._waits_below(found)
                line = f"{_line(found)} {waits.approval if waits else ''}"
                if line != looked and (waits or self._is_due(found, request, since)):
                    looked, told = line, await self._told(found, waits)
                    if told.ended or told.mark != seen:
                        return told
            except RPCError as error:
                raise Unavailable("Temporal cannot be read now; it is tried again") from error
            await _until_next(pause)
            pause = min(pause * _SLOWER, _LONGEST)

    async def _child(self, request: FollowGoalRequest) -> WorkflowExecutionDescription:
        info = activity.info()
        found = await self._server.describe(request.goal, request.run or None)
        ours = found is not None and (found.parent_id, found.parent_run_id) == (
            info.workflow_id,
            info.workflow_run_id,
        )
        if found is None or not ours or found.task_queue != TaskQueue.GOALS:
            raise InvalidRequest(f"{request.goal!r} is no goal of the workflow that asks about it")
        return found

    async def _waits_below(self, found: WorkflowExecutionDescription) -> _Waits | None:
        """The goal below it that waits for people, as a step of its plan does; None where none does."""
        below = [found]
        for _ in range(_MOST_BELOW):
            if not below:
                break
            goal = below.pop(0)
            for one in goal.raw_description.pending_children:
                if one.workflow_type_name == APPROVAL_WORKFLOW and goal is not found:
                    return _Waits(goal, one.workflow_id)
                if find_goal(one.workflow_type_name) is None:
                    continue
                if (child := await self._server.describe(one.workflow_id, one.run_id)) is not None:
                    below.append(child)
        return None

    def _is_due(self, found: WorkflowExecutionDescription, request: FollowGoalRequest, since: float) -> bool:
        """Whether it may be told: an end and a wait for people at once, a mere next step after the pause."""
        news = found.status is not WorkflowExecutionStatus.RUNNING or standing_of(found) != State.RUNNING
        return news or time.monotonic() - since >= request.pause

    async def _told(self, found: WorkflowExecutionDescription, waits: _Waits | None) -> GoalFollowed:
        steps = await self._histories.told(found)
        state, ended = str(standing_of(found)), found.status is not WorkflowExecutionStatus.RUNNING
        under_way = (one for one in steps if one.name == APPROVAL_WORKFLOW and one.ended == "under way")
        approval = next((one.workflow_id for one in under_way), waits.approval if waits else "")
        told = GoalFollowed(
            mark="",
            ended=ended,
            state=State.WAITING if waits and not ended else state,
            now="" if ended else await self._histories.reason(waits.goal if waits else found),
            approval=approval,
            digest=await self._digest_of(approval),
            steps=tuple(steps[-MOST_STEPS:]),
            earlier=max(0, len(steps) - MOST_STEPS),
        )
        return told.model_copy(update={"mark": hashlib.sha256(told.model_dump_json().encode()).hexdigest()[:16]})

    async def _digest_of(self, approval: str) -> str:
        """Of the plan that an approval is about, by the server's word; empty where there is none to be read."""
        found = await self._server.describe(approval) if approval else None
        if found is None:
            return ""
        try:
            request, _ = await self._server.asked(found.id, found.run_id)
        except NotAnApproval:
            return ""
        return plan_digest(request.plan)


def _line(found: WorkflowExecutionDescription) -> str:
    """Another text whenever something happened in the run, or a step of it was tried again."""
    pending = (f"{one.activity_id}:{one.attempt}" for one in found.raw_description.pending_activities)
    return f"{found.status} {found.history_length} {' '.join(pending)}"


async def _until_next(seconds: float) -> None:
    """Wait for the next look.

    Raises:
        Unavailable: This gateway ends.
    """
    ending = asyncio.ensure_future(activity.wait_for_worker_shutdown())
    try:
        done, _ = await asyncio.wait({ending}, timeout=seconds)
    finally:
        ending.cancel()
    if done:
        raise Unavailable("this gateway ends, and another one goes on")
