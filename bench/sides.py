"""One goal on each side, and how long one or many of them take."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from activities.queues import TaskQueue
from bench.bare_workflow import QUEUE_ACTIVITIES, QUEUE_BOTH, QUEUE_WORKFLOWS, BareReadFile, Wanted
from bench.system import System
from workflows.repository.goals import ReadFileInput
from workflows.repository.read_file import ReadFileWorkflow

REPOSITORY, PATH = "acme/shop", "README.md"


@dataclass(frozen=True)
class Side:
    """Something that can carry out the goal; `run` gives the file's text."""

    name: str
    run: Callable[[], Awaitable[str]]


@dataclass(frozen=True)
class Sides:
    """All that are compared.

    Attributes:
        ours: Guard, Vault and telemetry on.
        quiet: The same with telemetry off.
        bare: Bare temporalio, a process for the workflow and one for the activity, as ours.
        one_process: Bare temporalio, both in one process and on one queue.
    """

    ours: Side
    quiet: Side
    bare: Side
    one_process: Side

    @classmethod
    def of(cls, system: System) -> "Sides":
        """The sides of a running system."""

        def ours(quiet: bool) -> Callable[[], Awaitable[str]]:
            client = system.quiet if quiet else system.loud

            async def run() -> str:
                found = await client.execute_workflow(
                    ReadFileWorkflow.run,
                    ReadFileInput(repository=REPOSITORY, path=PATH),
                    id=f"ours-{uuid.uuid4()}",
                    task_queue=TaskQueue.GOALS,
                )
                return found.content or ""

            return run

        def bare(queue: str, activities: str) -> Callable[[], Awaitable[str]]:
            async def run() -> str:
                found = await system.bare.execute_workflow(
                    BareReadFile.run,
                    Wanted(repository=REPOSITORY, path=PATH, queue=activities),
                    id=f"bare-{uuid.uuid4()}",
                    task_queue=queue,
                )
                return found.content

            return run

        return cls(
            ours=Side("ours", ours(quiet=False)),
            quiet=Side("ours, telemetry off", ours(quiet=True)),
            bare=Side("bare temporalio", bare(QUEUE_WORKFLOWS, QUEUE_ACTIVITIES)),
            one_process=Side("bare temporalio, one process", bare(QUEUE_BOTH, QUEUE_BOTH)),
        )

    def all(self) -> tuple[Side, ...]:
        """Each of them."""
        return self.ours, self.quiet, self.bare, self.one_process

    async def warm_up(self, goals: int) -> None:
        """Fill caches, and see that all sides do the same: the text they read is one text."""
        texts: set[str] = set()
        for side in self.all():
            texts |= {await side.run() for _ in range(goals)}
        if len(texts) != 1 or not texts.pop():
            raise RuntimeError("the sides did not read the same file: what they take cannot be compared")


Times = dict[str, list[float]]
"""What was measured of each side, by its name; the n-th values of all sides belong together."""


async def latencies(sides: Sequence[Side], rounds: int) -> Times:
    """Seconds of one goal at a time, each side in turn; who begins changes from round to round."""
    times: Times = {side.name: [] for side in sides}
    for round_ in range(rounds):
        for side in _turn(sides, round_):
            begun = time.perf_counter()
            await side.run()
            times[side.name].append(time.perf_counter() - begun)
    return times


async def rates(sides: Sequence[Side], rounds: int, *, goals: int, in_flight: int) -> Times:
    """Goals per second with so many in flight, each side in turn."""
    times: Times = {side.name: [] for side in sides}
    for round_ in range(rounds):
        for side in _turn(sides, round_):
            times[side.name].append(await _rate(side, goals, in_flight))
    return times


async def _rate(side: Side, goals: int, in_flight: int) -> float:
    left = iter(range(goals))

    async def one_after_the_other() -> None:
        for _ in left:
            await side.run()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(one_after_the_other())
    return goals / (time.perf_counter() - begun)


def _turn(sides: Sequence[Side], round_: int) -> Sequence[Side]:
    first = round_ % len(sides)
    return [*sides[first:], *sides[:first]]
