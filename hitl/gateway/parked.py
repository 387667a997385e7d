"""Parked goals as the Temporal server says they are, for the workflow that has people told of one.

Which goal is meant, the server says: the parent of whoever asks. What it waits for are the words of its own step, from
the event in which that failed, and no word of the goal's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from activities.catalogue import steps
from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from hitl.gateway.server import Server
from workflows.catalogue import find_goal
from workflows.contracts import STATE_ATTRIBUTE, State
from workflows.parked_contracts import PARKED_NOTICE, waits_for
from workflows.standing import standing_of

_OUR_STEPS: Final = frozenset({TaskQueue.CONNECTORS, TaskQueue.SANDBOX, TaskQueue.DESTRUCTIVE})


@dataclass(frozen=True, kw_only=True)
class ParkedGoal:
    """One goal, and the notice that speaks of it.

    Attributes:
        notice: Workflow and run id.
        since: When it parked.
        goal: As it is now.
        step: That it parked at; empty where none of ours failed.
        why: What that step said; empty where it said nothing that can be read.
    """

    notice: tuple[str, str]
    since: datetime
    goal: WorkflowExecutionDescription
    step: str
    why: str

    @property
    def waits(self) -> bool:
        """Whether it is parked now."""
        told = self.goal.typed_search_attributes.get(STATE_ATTRIBUTE)
        return self.goal.status is WorkflowExecutionStatus.RUNNING and told == State.PARKED

    @property
    def standing(self) -> str:
        """Where it stands now, in one word."""
        return standing_of(self.goal)


async def parked_goal(server: Server, *, workflow_id: str | None, run_id: str | None, step: str) -> ParkedGoal:
    """The goal that a step speaks of.

    Args:
        server: Temporal.
        workflow_id: Whose step it is.
        run_id: The same.
        step: At which it says that it is parked.

    Raises:
        InvalidRequest: It is no notice that a goal of ours left.
        RPCError: The server cannot be reached.
    """
    notice = await server.describe(workflow_id, run_id) if workflow_id else None
    # On another queue than the goals', whoever polls it would speak as one of them.
    if notice is None or (notice.workflow_type, notice.task_queue) != (PARKED_NOTICE, TaskQueue.GOALS):
        raise InvalidRequest(f"that a goal is parked, only its {PARKED_NOTICE} says")
    goal = await server.describe(notice.parent_id, notice.parent_run_id) if notice.parent_id else None
    if goal is None or find_goal(goal.workflow_type) is None or goal.task_queue != TaskQueue.GOALS:
        raise InvalidRequest(f"no goal left this {PARKED_NOTICE}: it speaks of none")
    why = await _said(server, goal, step, notice=notice.id)
    return ParkedGoal(
        notice=(notice.id, notice.run_id),
        since=notice.start_time,
        goal=goal,
        step=step if why is not None else "",
        why=why or "",
    )


async def _said(server: Server, goal: WorkflowExecutionDescription, step: str, *, notice: str) -> str | None:
    """What this step said right before the goal left the notice; None where none of ours of that name failed."""
    left, ends = False, dict[int, Failure]()
    async for event in server.newest_first(goal.id, goal.run_id):
        if not left:
            left = event.start_child_workflow_execution_initiated_event_attributes.workflow_id == notice
            continue
        ends |= _failed(event)
        asked = event.activity_task_scheduled_event_attributes
        if asked.activity_type.name != step or event.event_id not in ends:
            continue
        if step not in steps() or asked.task_queue.name not in _OUR_STEPS:
            return None
        return await _sentence(server, step, ends[event.event_id])
    return None


def _failed(event: HistoryEvent) -> dict[int, Failure]:
    """The failure that an event tells, by the event in which its step was asked for."""
    for field in ("activity_task_failed_event_attributes", "activity_task_timed_out_event_attributes"):
        if event.HasField(field):
            ended = getattr(event, field)
            return {ended.scheduled_event_id: ended.failure}
    return {}


async def _sentence(server: Server, step: str, failure: Failure) -> str:
    try:
        cause = await server.client.data_converter.decode_failure(failure)
    except (ApplicationError, ValueError, RuntimeError):  # of a key that is gone, or of somebody's own making
        return ""
    return waits_for(step, cause) or ""
