"""What goals did, as the Temporal server tells it: types, times, ends, and the sentences that say why.

No input, no result and no payload of a step leaves here. Only goals of the catalogue on the goals' own queue are told
of: on another, whoever polls it would speak as one of them.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecution, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.client import WorkflowFailureError as Failed
from temporalio.exceptions import ApplicationError, FailureError, TemporalError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from hitl.gateway.server import LATELY, Server, quoted
from hitl.hidden import visible
from observability.redaction import redact
from workflows.agent.history_contracts import (
    FIND_GOALS,
    MOST_GOALS,
    MOST_REASON,
    MOST_STEPS,
    READ_HISTORY,
    FindGoalsRequest,
    GoalFound,
    GoalsFound,
    HistoryRead,
    ReadHistoryRequest,
    StepTold,
)
from workflows.catalogue import GOALS, find_goal
from workflows.contracts import REPOSITORY_ATTRIBUTE, STATE_ATTRIBUTE, GoalResult, GoalStatus
from workflows.standing import standing_of

_PATIENCE: Final = timedelta(seconds=3)
_UNREADABLE: Final = (TimeoutError, TemporalError, RuntimeError, ValueError)
_ENDS: Final[Mapping[str, str]] = {
    "activity_task_completed_event_attributes": "completed",
    "activity_task_failed_event_attributes": "failed",
    "activity_task_timed_out_event_attributes": "timed out",
    "activity_task_canceled_event_attributes": "cancelled",
    "child_workflow_execution_completed_event_attributes": "ended",
    "child_workflow_execution_failed_event_attributes": "failed",
    "child_workflow_execution_timed_out_event_attributes": "timed out",
    "child_workflow_execution_canceled_event_attributes": "cancelled",
    "child_workflow_execution_terminated_event_attributes": "terminated",
    "start_child_workflow_execution_failed_event_attributes": "not started",
}


class HistorySteps:
    """The steps.

    Args:
        server: Temporal.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    @implements(READ_HISTORY)
    async def read_history(self, request: ReadHistoryRequest) -> HistoryRead:
        """Tell what the newest run of a goal did. That there is none is a result.

        Raises:
            Unavailable: The server does not answer.
        """
        try:
            found = await self._server.describe(request.goal)
            if found is None or find_goal(found.workflow_type) is None or found.task_queue != TaskQueue.GOALS:
                return HistoryRead(found=False, goal=_short(request.goal))
            told = await self.told(found)
        except RPCError as error:
            raise Unavailable("Temporal cannot be read now; it is tried again") from error
        return HistoryRead(
            goal=_short(found.id),
            name=found.workflow_type,
            state=_short(standing_of(found)),
            started=_moment(found.start_time),
            ended=_moment(found.close_time) if found.close_time else "",
            repository=_short(found.typed_search_attributes.get(REPOSITORY_ATTRIBUTE) or ""),
            reason=_short(await self.reason(found)),
            steps=tuple(told[-MOST_STEPS:]),
            earlier=max(0, len(told) - MOST_STEPS),
        )

    @implements(FIND_GOALS)
    async def find_goals(self, request: FindGoalsRequest) -> GoalsFound:
        """List goals that were started lately, the newest first.

        Raises:
            InvalidRequest: There is no goal of that name.
            Unavailable: The server does not answer.
        """
        if request.name and find_goal(request.name) is None:
            raise InvalidRequest(
                f"there is no goal {request.name!r}; there are: {', '.join(one.name for one in GOALS)}"
            )
        found = self._server.client.list_workflows(_query(request), limit=MOST_GOALS + 1)
        try:
            some = [one async for one in found]
        except RPCError as error:
            raise Unavailable("Temporal cannot be read now; it is tried again") from error
        some.sort(key=lambda one: one.start_time, reverse=True)
        return GoalsFound(goals=tuple(map(_found, some[:MOST_GOALS])), more=len(some) > MOST_GOALS)

    async def told(self, found: WorkflowExecutionDescription, *, pages: int = LATELY) -> list[StepTold]:
        """Its steps and the goals that it started, in the order in which they were asked for.

        Args:
            found: The run.
            pages: How much of its history is read, from its end.
        """
        begun: dict[int, StepTold] = {}
        ends: dict[int, StepTold] = {}
        async for event in self._server.newest_first(found.id, found.run_id, pages=pages):
            if (end := await self._end(event)) is not None:
                ends.setdefault(*end)
            elif event.HasField("activity_task_started_event_attributes"):
                started = event.activity_task_started_event_attributes
                known = ends.get(started.scheduled_event_id, StepTold(at="", name=""))
                ends[started.scheduled_event_id] = known.model_copy(update={"attempts": started.attempt})
            elif (begin := _begin(event)) is not None:
                known = ends.get(event.event_id, begin)
                begun[event.event_id] = begin.model_copy(update=known.model_dump(include={"ended", "attempts", "why"}))
        pending = await self._pending(found)
        return [
            one.model_copy(update=pending.get(one.name, {})) if one.ended == "under way" else one
            for _, one in sorted(begun.items())
        ]

    async def _end(self, event: HistoryEvent) -> tuple[int, StepTold] | None:
        field = event.WhichOneof("attributes") or ""
        if field not in _ENDS:
            return None
        ended = getattr(event, field)
        begun = ended.scheduled_event_id if field.startswith("activity") else ended.initiated_event_id
        why = await self._sentence(ended.failure) if hasattr(ended, "failure") and ended.HasField("failure") else ""
        return begun, StepTold(at="", name="", ended=_ENDS[field], why=why)

    async def _pending(self, found: WorkflowExecutionDescription) -> dict[str, dict[str, object]]:
        """What steps that are tried again last met."""
        return {
            one.activity_type.name: {"attempts": one.attempt, "why": await self._sentence(one.last_failure)}
            for one in found.raw_description.pending_activities
            if one.HasField("last_failure")
        }

    async def _sentence(self, failure: Failure) -> str:
        try:
            cause = await self._server.client.data_converter.decode_failure(failure)
        except (ApplicationError, ValueError, RuntimeError):  # of a key that is gone, or of somebody's own making
            return ""
        # The step's or the goal's own sentence. What that was caused by is a library's, of which no word is kept.
        while not isinstance(cause, ApplicationError) and isinstance(cause.__cause__, FailureError):
            cause = cause.__cause__
        kind = f"{cause.type}: " if isinstance(cause, ApplicationError) and cause.type else ""
        return _short(f"{kind}{cause.message if isinstance(cause, FailureError) else cause}")

    async def reason(self, found: WorkflowExecutionDescription) -> str:
        """What it says of its end, or of what it waits for; empty where nobody can read it now."""
        handle = self._server.client.get_workflow_handle(found.id, run_id=found.run_id, result_type=GoalResult)
        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                if found.status is WorkflowExecutionStatus.RUNNING:
                    status = await handle.query("status", result_type=GoalStatus, rpc_timeout=_PATIENCE)
                    return status.waiting_for or status.step or ""
                return (await handle.result(follow_runs=False, rpc_timeout=_PATIENCE)).reason or ""
        except Failed as error:
            return error.cause.message if isinstance(error.cause, FailureError) else ""
        except (*_UNREADABLE, RPCError):
            return ""


def _begin(event: HistoryEvent) -> StepTold | None:
    if event.HasField("activity_task_scheduled_event_attributes"):
        asked = event.activity_task_scheduled_event_attributes
        return StepTold(at=_at(event.event_time), name=_short(asked.activity_type.name))
    if event.HasField("start_child_workflow_execution_initiated_event_attributes"):
        child = event.start_child_workflow_execution_initiated_event_attributes
        name, goal = _short(child.workflow_type.name), _short(child.workflow_id)
        return StepTold(at=_at(event.event_time), name=name, kind="goal", workflow_id=goal)
    return None


def _query(wanted: FindGoalsRequest) -> str:
    since = datetime.now(UTC) - timedelta(hours=wanted.hours)
    names = [wanted.name] if wanted.name else [one.name for one in GOALS]
    parts = [
        f"WorkflowType IN ({', '.join(map(quoted, names))})",
        f"TaskQueue = {quoted(TaskQueue.GOALS)}",
        f"StartTime >= {quoted(since.isoformat())}",
    ]
    asked = {STATE_ATTRIBUTE.name: wanted.state, REPOSITORY_ATTRIBUTE.name: wanted.repository}
    return " AND ".join([*parts, *(f"{name} = {quoted(value)}" for name, value in asked.items() if value)])


def _found(one: WorkflowExecution) -> GoalFound:
    return GoalFound(
        goal=_short(one.id),
        name=one.workflow_type,
        state=_short(standing_of(one)),
        started=_moment(one.start_time),
        repository=_short(one.typed_search_attributes.get(REPOSITORY_ATTRIBUTE) or ""),
    )


def _at(time: Timestamp) -> str:
    return _moment(time.ToDatetime(tzinfo=UTC))


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _short(text: str) -> str:
    return visible(redact.head(" ".join(text.split()), MOST_REASON))
