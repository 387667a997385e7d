"""What one honest deployment costs: its history, the people it asks, and its time against that of its steps.

`python -m tests.workflows.deploy_feature.figures` runs some, one after the other, and prints it. The twins are instant,
the steps on GitHub and the guard are the real ones.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.ratios import Spread, spread
from deploy.ending import run_to_the_end
from deploy.temporal import register_search_attributes
from tests.temporal_server import start_server
from tests.workflows.deploy_feature.mishaps import Cell
from tests.workflows.deploy_feature.town import Town, twins
from workflows.approval.contracts import APPROVAL_WORKFLOW

_ROUNDS: Final = 12
_NOTHING: Final = timedelta()


@dataclass(frozen=True)
class Figures:
    """Of one run.

    Attributes:
        events: In the goal's own history.
        size: Of that history, in bytes, as the server counts it.
        whole: From its start to its end, but for what it waited by its own timers.
        steps: The sum of its steps, each from when it was asked for to its answer.
        approval: What of the whole it waited for its approval, with a person who says yes at once.
    """

    events: int
    size: int
    whole: timedelta
    steps: timedelta
    approval: timedelta

    @property
    def ratio(self) -> float:
        """Of the whole to the sum of its steps; below one where they run side by side."""
        return self.whole / self.steps

    @property
    def ratio_without_approval(self) -> float:
        """The same of what it did by itself."""
        return (self.whole - self.approval) / self.steps


async def figures_of(client: Client, workflow_id: str) -> Figures:
    """Of a goal that has ended; below it nothing is counted but what it waits for."""
    goal = client.get_workflow_handle(workflow_id)
    events = (await goal.fetch_history()).events
    size = (await goal.describe()).raw_description.workflow_execution_info.history_size_bytes
    whole = _between(events[0], events[-1]) - sum(_timers(events), _NOTHING)
    approval = sum(_approvals(events), _NOTHING)
    return Figures(events=len(events), size=size, whole=whole, steps=sum(_steps(events), _NOTHING), approval=approval)


def _between(one: HistoryEvent, other: HistoryEvent) -> timedelta:
    return other.event_time.ToDatetime() - one.event_time.ToDatetime()


def _steps(events: Sequence[HistoryEvent]) -> Iterable[timedelta]:
    for event in events:
        if event.HasField("activity_task_completed_event_attributes"):
            yield _between(events[event.activity_task_completed_event_attributes.scheduled_event_id - 1], event)


def _approvals(events: Sequence[HistoryEvent]) -> Iterable[timedelta]:
    for event in events:
        ended = event.child_workflow_execution_completed_event_attributes
        if ended.workflow_type.name == APPROVAL_WORKFLOW:
            yield _between(events[ended.initiated_event_id - 1], event)


def _timers(events: Sequence[HistoryEvent]) -> Iterable[timedelta]:
    for event in events:
        if event.HasField("timer_fired_event_attributes"):
            yield _between(events[event.timer_fired_event_attributes.started_event_id - 1], event)


async def _measure() -> None:
    async with await start_server() as environment:
        await register_search_attributes(environment.client)
        with tempfile.TemporaryDirectory() as folder, twins(Path(folder)) as there:
            town = Town(environment.client, Path(folder), there)
            async with town.at_work():
                for number in range(_ROUNDS):
                    await town.end(town.settle(Cell(f"cell{number:03}")))
                ids = [f"deploy-cell{number:03}" for number in range(1, _ROUNDS)]  # the first one warms up
                found = [await figures_of(environment.client, one) for one in ids]
    _show(found)


def _show(found: Sequence[Figures]) -> None:
    def told(values: Spread, unit: str, digits: int) -> str:
        return f"{values.median:.{digits}f}{unit} ({values.low:.{digits}f} to {values.high:.{digits}f})"

    lines = [
        f"{len(found)} deployments, one after the other",
        f"  history        {told(spread([one.events for one in found]), ' events', 0)}",
        f"                 {told(spread([one.size / 1024 for one in found]), ' KiB', 0)}",
        f"  its time       {told(spread([one.whole.total_seconds() for one in found]), ' s', 2)}",
        f"  of its steps   {told(spread([one.steps.total_seconds() for one in found]), ' s', 2)}",
        f"  of approval    {told(spread([one.approval.total_seconds() for one in found]), ' s', 2)}",
        f"  ratio          {told(spread([one.ratio for one in found]), '', 2)}",
        f"  without it     {told(spread([one.ratio_without_approval for one in found]), '', 2)}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    run_to_the_end(lambda: asyncio.run(_measure()))
