"""What an honest deployment costs between its steps: `python -m bench.deployment`.

Both sides of its ratio are read in one history, that of the goal itself: from its start to its end, and the sum of its
steps. What the manifest asks to wait for, the watch over the page, is left out of both.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.ratios import Hold, Ratio, Spread, pairwise, spread
from bench.report import Machine, Measured, keep, where
from deploy.ending import run_to_the_end
from deploy.temporal import register_search_attributes
from tests.temporal_server import start_server
from tests.workflows.deploy_feature.mishaps import Cell
from tests.workflows.deploy_feature.town import Town, twins
from workflows.approval.contracts import APPROVAL_WORKFLOW

FULL, SHORT = 24, 6
"""So many deployments, besides one that warms up."""
LIMIT: Final = Hold(sense="at most", limit=1.3)
_NOTHING: Final = timedelta()


@dataclass(frozen=True)
class Figures:
    """Of one run.

    Attributes:
        events: In the goal's own history.
        size: Of that history, in bytes, as the server counts it.
        whole: From its start to its end, but for what it waited by its own timers.
        steps: The sum of its steps, each from when it was asked for to its answer.
        worked: The same sum from when a worker had each.
        approval: What of the whole it waited for its approval, with a person who says yes at once.
    """

    events: int
    size: int
    whole: timedelta
    steps: timedelta
    worked: timedelta
    approval: timedelta


class Report(Measured):
    """One run of this bench; ratios and parts in the order in which they are told.

    Attributes:
        ratios: Of the whole to the sums.
        approval: Seconds that it waited for its approval.
        events: Of its history.
        kib: The same in KiB.
    """

    ratios: list[Ratio]
    approval: Spread
    events: Spread
    kib: Spread

    def held(self) -> bool:
        """Whether what is asked for is so."""
        return all(one.held is not False for one in self.ratios)


async def figures_of(client: Client, workflow_id: str) -> Figures:
    """Of a goal that has ended; below it nothing is counted but what it waits for."""
    goal = client.get_workflow_handle(workflow_id)
    events = (await goal.fetch_history()).events
    size = (await goal.describe()).raw_description.workflow_execution_info.history_size_bytes
    return parts_of(events, size=size)


def parts_of(events: Sequence[HistoryEvent], *, size: int) -> Figures:
    """Of a whole history."""
    return Figures(
        events=len(events),
        size=size,
        whole=_between(events[0], events[-1]) - sum(_timers(events), _NOTHING),
        steps=sum(_steps(events), _NOTHING),
        worked=sum(_worked(events), _NOTHING),
        approval=sum(_approvals(events), _NOTHING),
    )


def report_of(found: Sequence[Figures], machine: Machine) -> Report:
    """Of several runs, each compared with itself."""
    whole = [one.whole.total_seconds() for one in found]
    alone = [(one.whole - one.approval).total_seconds() for one in found]
    steps = [one.steps.total_seconds() for one in found]
    worked = [one.worked.total_seconds() for one in found]
    return Report(
        machine=machine,
        ratios=[
            _ratio("its time", "the sum of its steps", whole, steps, LIMIT),
            _ratio("its time, without approval", "the sum of its steps", alone, steps),
            _ratio("its time", "the steps, once begun", whole, worked),
        ],
        approval=spread([one.approval.total_seconds() for one in found]),
        events=spread([float(one.events) for one in found]),
        kib=spread([one.size / 1024 for one in found]),
    )


def _ratio(what: str, against: str, ours: list[float], other: list[float], hold: Hold | None = None) -> Ratio:
    return Ratio(
        what=what,
        against=against,
        unit="s",
        pairs=len(ours),
        ours=spread(ours),
        other=spread(other),
        ratio=spread(pairwise(ours, other)),
        hold=hold,
    )


def _between(one: HistoryEvent, other: HistoryEvent) -> timedelta:
    return other.event_time.ToDatetime() - one.event_time.ToDatetime()


def _steps(events: Sequence[HistoryEvent]) -> Iterable[timedelta]:
    for event in events:
        if event.HasField("activity_task_completed_event_attributes"):
            yield _between(events[event.activity_task_completed_event_attributes.scheduled_event_id - 1], event)


def _worked(events: Sequence[HistoryEvent]) -> Iterable[timedelta]:
    for event in events:
        if event.HasField("activity_task_completed_event_attributes"):
            yield _between(events[event.activity_task_completed_event_attributes.started_event_id - 1], event)


def _approvals(events: Sequence[HistoryEvent]) -> Iterable[timedelta]:
    for event in events:
        ended = event.child_workflow_execution_completed_event_attributes
        if ended.workflow_type.name == APPROVAL_WORKFLOW:
            yield _between(events[ended.initiated_event_id - 1], event)


def _timers(events: Sequence[HistoryEvent]) -> Iterable[timedelta]:
    for event in events:
        if event.HasField("timer_fired_event_attributes"):
            yield _between(events[event.timer_fired_event_attributes.started_event_id - 1], event)


async def _measure(rounds: int) -> Report:
    before = os.getloadavg()[0]
    async with await start_server() as environment:
        await register_search_attributes(environment.client)
        with tempfile.TemporaryDirectory() as folder, twins(Path(folder)) as there:
            town = Town(environment.client, Path(folder), there)
            async with town.at_work():
                for number in range(rounds + 1):
                    await town.end(town.settle(Cell(f"cell{number:03}")))
                ids = [f"deploy-cell{number:03}" for number in range(1, rounds + 1)]  # the first one warms up
                found = [await figures_of(environment.client, one) for one in ids]
    return report_of(found, Machine(load_before=before, load_after=os.getloadavg()[0]))


def told(report: Report) -> list[str]:
    """What is printed, but for the last line."""
    lines = [f"{report.ratios[0].pairs} deployments, one after the other"]
    for one in report.ratios:
        verdict = "" if one.held is None else f" (hold {one.hold}) {'held' if one.held else 'missed'}"
        took = f"{one.ours.median:.2f} s against {one.other.median:.2f} s"
        between = f"{one.ratio.low:.2f}–{one.ratio.high:.2f}"
        lines.append(
            f"  {one.what + ' against ' + one.against:<56} {took}: {one.ratio.median:.2f} ({between}){verdict}"
        )
    lines.append(f"  of its time its approval, by a person who says yes at once: {report.approval.median:.2f} s")
    lines.append(f"  its history: {report.events.median:.0f} events, {report.kib.median:.0f} KiB")
    return lines


def main() -> int:
    """Measure; 0 where it is held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.deployment", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--short", action="store_true", help=f"{SHORT} deployments instead of {FULL}")
    given = parser.parse_args()
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    report = asyncio.run(_measure(SHORT if given.short else FULL))
    print("\n".join(told(report)))
    print(where(report, keep(report, of="deployment")))
    return 0 if report.held() else 1


if __name__ == "__main__":
    run_to_the_end(lambda: sys.exit(main()))
