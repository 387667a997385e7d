"""When something happened by Temporal's own word: its clock is this machine's, and its history is exact."""

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client


async def step_asked_for(client: Client, goal: str) -> float:
    """When the goal, with its approval's answer, asked for its step, in seconds since 1970.

    Raises:
        RuntimeError: It has asked for none.
    """
    answered = False
    async for event in client.get_workflow_handle(goal).fetch_history_events():
        answered = answered or event.HasField("child_workflow_execution_completed_event_attributes")
        if answered and event.HasField("activity_task_scheduled_event_attributes"):
            return _seconds(event)
    raise RuntimeError(f"the goal {goal!r} asked for no step")


async def counted(client: Client, approval: str) -> float | None:
    """When the approval counted its first decision, in seconds since 1970; None where it has counted none."""
    async for event in client.get_workflow_handle(approval).fetch_history_events():
        if event.HasField("workflow_execution_update_completed_event_attributes"):
            return _seconds(event)
    return None


def _seconds(event: HistoryEvent) -> float:
    return event.event_time.ToNanoseconds() / 1e9
