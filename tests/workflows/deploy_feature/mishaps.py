"""What may happen to any one step of a deployment: its worker dies before, in or right after it, or its provider fails.

A worker that dies is one that the server hears nothing of any more: the attempt goes no further, does not beat, and its
answer never arrives. Times that Temporal waits are shortened here, and nowhere else.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, get_args

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from activities.heartbeat import HeartbeatInterceptor
from connectors.errors import ConnectorError
from connectors.twins import faults

CELL: Final = re.compile(r"cell\d{3}")
BEFORE, IN, AFTER = "killed before it", "killed in it", "killed right after it"
KILLS: Final = (BEFORE, IN, AFTER)
GOALS_IN, GOALS_AFTER = "goals worker killed in it", "goals worker killed before it heard the answer"
AWAY: Final = "away until people mend it"
_LATE: Final = 0.2
_HOW: Final[Mapping[str, tuple[Mapping[str, object], ...]]] = {
    "delay": ({"seconds": _LATE},),
    "status": tuple({"status": one} for one in (401, 404, 409, 500)),
    "rate_limit": ({"seconds": 0},),
    "garbage": ({},),
    "drop": ({},),
    "drop_after_effect": ({},),
    "silence": ({}, {"after_effect": True}),
}
"""How each fault is meant that twins can do. One that is missing here has no cell: see `faults_of_twins`."""


def faults_of_twins() -> dict[str, dict[str, object]]:
    """Every way in which a twin can fail, by its name in the table.

    Raises:
        KeyError: Twins can do something that nobody here has thought of.
    """
    kinds = [get_args(one.model_fields["kind"].annotation)[0] for one in get_args(get_args(faults.Fault)[0])]
    return {_named(kind, how): {"kind": kind, **how} for kind in kinds for how in _HOW[kind]}


def errors_of_engines() -> dict[str, type[ConnectorError]]:
    """Every error that a played engine can meet, by its name in the table; what is below one is treated as it."""
    return {one.__name__: one for one in ConnectorError.__subclasses__() if one.__module__ == ConnectorError.__module__}


def _named(kind: str, how: Mapping[str, object]) -> str:
    if kind == "status":
        return f"answers {how['status']}"
    return {"after_effect": f"{kind} after the effect"}.get(next(iter(how), ""), kind.replace("_", " "))


@dataclass(frozen=True, order=True)
class Taken:
    """One step of a run: which workflow took it, its name, and the how-many-th of this name it was."""

    workflow: str
    step: str
    number: int = 1

    def __str__(self) -> str:
        return self.step if self.number == 1 else f"{self.step} ({self.number})"


@dataclass(frozen=True)
class Request:
    """One request of a step to its twin, by which it meets a fault."""

    method: str
    path: str
    """With the cell's name as `CELL`."""

    def of(self, cell: str) -> dict[str, str]:
        """Where its fault waits."""
        return {"method": self.method, "path": f"^{re.escape(self.path).replace('CELL', cell)}$"}


@dataclass
class Mishap:
    """One thing that happens to one step.

    Attributes:
        at: The step.
        what: One of `KILLS`, or the fault's name.
        plant: Has the twin's fault wait for the step.
        error: What a played engine meets.
        stays: Whether it stays so until people mend it.
    """

    at: Taken
    what: str
    plant: Callable[[str], None] | None = None
    error: type[ConnectorError] | None = None
    stays: bool = False
    happened: int = 0
    mended: bool = False

    @property
    def is_away(self) -> bool:
        """Whether its provider is away, until people mend it."""
        return self.stays and not self.mended

    def meets(self, step: Taken, *, first: bool) -> bool:
        """Whether it happens to an attempt at this step; whoever is away is so for every later one of its name."""
        if self.is_away:
            return (step.workflow, step.step) == (self.at.workflow, self.at.step) and step.number >= self.at.number
        return step == self.at and first and not self.happened


@dataclass
class Cell:
    """One run, and what happens to it; where that is more than one thing, to a step each.

    Attributes:
        taken: The steps that it took, in order.
        spans: The same with their times, as often as one ended.
    """

    name: str
    mishaps: Sequence[Mishap] = ()
    taken: list[Taken] = field(default_factory=list[Taken])
    spans: list[tuple[Taken, float, float]] = field(default_factory=list[tuple[Taken, float, float]])
    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    workflows: dict[Taken, str] = field(default_factory=dict[Taken, str])
    ids: dict[tuple[str, str], Taken] = field(default_factory=dict[tuple[str, str], Taken])

    def step(self) -> Taken:
        """Which one the current attempt is of."""
        info = activity.info()
        key = (str(info.workflow_run_id), info.activity_id)
        if key not in self.ids:
            kind = (str(info.workflow_type), info.activity_type)
            self.counts[kind] += 1
            self.ids[key] = Taken(*kind, self.counts[kind])
            self.workflows[self.ids[key]] = str(info.workflow_id)
            self.taken.append(self.ids[key])
        return self.ids[key]

    def now(self) -> Mishap | None:
        """What is to happen to the current attempt."""
        step, first = self.step(), activity.info().attempt == 1
        return next((one for one in self.mishaps if one.meets(step, first=first)), None)

    def killed(self, what: str) -> bool:
        """Whether its worker dies now, which is then noted."""
        mishap = self.now()
        hit = mishap is not None and mishap.what == what and mishap.plant is None
        if mishap is not None and hit:
            mishap.happened += 1
        return hit

    def mend(self) -> None:
        """Whoever is away comes back."""
        for one in self.mishaps:
            one.mended = one.mended or one.happened > 0


Cells = dict[str, Cell]
"""By name, and by the id of each workflow of theirs."""
Held = dict[str, tuple[Mishap, asyncio.Event]]
"""By cell: what it is held for, and what lets it go on."""


async def gone() -> Any:
    """This attempt goes no further."""
    return await asyncio.Event().wait()


@dataclass
class Outside(Interceptor):
    """Around the guard: the worker dies before the step, or right after it; the twin's fault is planted."""

    cells: Cells

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        return _Outside(next, self.cells)


class _Outside(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, cells: Cells) -> None:  # noqa: A002 - the SDK's
        super().__init__(next)
        self._cells = cells

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's
        cell = cell_of(self._cells, activity.info().workflow_id)
        taken, began = cell.step(), time.time()
        if cell.killed(BEFORE):
            await gone()
        if (mishap := cell.now()) is not None and mishap.plant is not None:
            mishap.happened += 1
            mishap.plant(cell.name)
        answer = await super().execute_activity(input)
        cell.spans.append((taken, began, time.time()))
        if cell.killed(AFTER):
            await gone()
        return answer


@dataclass
class Inside(Interceptor):
    """Within the guard, around the step itself: a worker dies once the effect is done; a played engine fails."""

    cells: Cells
    held: Held

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        return _Inside(next, self.cells, self.held)


class _Inside(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, cells: Cells, held: Held) -> None:  # noqa: A002 - the SDK's
        super().__init__(next)
        self._cells, self._held = cells, held

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's
        cell = cell_of(self._cells, activity.info().workflow_id)
        if (mishap := cell.now()) is not None and mishap.error is not None:
            mishap.happened += 1
            raise mishap.error(f"{mishap.at.step!r} met {mishap.error.__name__}: mend it, then try again")
        answer = await super().execute_activity(input)
        if cell.killed(IN):
            await gone()
        if (mishap := cell.now()) is not None and mishap.what in {GOALS_IN, GOALS_AFTER}:
            mishap.happened += 1
            released = asyncio.Event()
            self._held[cell.name] = (mishap, released)
            await released.wait()
        return answer


@dataclass
class Beating(HeartbeatInterceptor):
    """Beats, but for an attempt whose worker is to die in it."""

    def __init__(self, cells: Cells) -> None:
        super().__init__()
        self._cells = cells

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        return _Beating(next, super().intercept_activity(next), self._cells)


class _Beating(ActivityInboundInterceptor):
    def __init__(
        self,
        quiet: ActivityInboundInterceptor,
        beating: ActivityInboundInterceptor,
        cells: Cells,
    ) -> None:
        super().__init__(beating)
        self._quiet, self._cells = quiet, cells

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's
        cell = cell_of(self._cells, activity.info().workflow_id)
        if activity.info().attempt == 1 and any(one.what == IN and one.at == cell.step() for one in cell.mishaps):
            return await self._quiet.execute_activity(input)
        return await super().execute_activity(input)


def cell_of(cells: Cells, workflow_id: str | None) -> Cell:
    """Whose run this is."""
    found = CELL.search(str(workflow_id))
    return cells[found.group() if found is not None else str(workflow_id)]


_BEAT: Final = timedelta(seconds=3)
_AGAIN: Final = timedelta(milliseconds=100)
_PATIENCE: Final = timedelta(seconds=3)


class Quick(Interceptor):
    """Has the server give a worker up sooner, and try again sooner; who is away for long is so within seconds.

    Args:
        cells: Those of whose steps it is said.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - the SDK's
    ) -> type[WorkflowInboundInterceptor]:
        del input
        cells = self._cells

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(_Quick(outbound, cells))

        return Inbound


class _Quick(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, cells: Cells) -> None:  # noqa: A002 - the SDK's
        super().__init__(next)
        self._cells = cells

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - the SDK's
        from temporalio import workflow  # noqa: PLC0415 - its answers are those of the workflow that runs

        if input.heartbeat_timeout is not None:
            input.heartbeat_timeout = min(input.heartbeat_timeout, _BEAT)
        if input.retry_policy is not None:
            input.retry_policy = replace(input.retry_policy, initial_interval=_AGAIN, maximum_interval=_AGAIN * 5)
        info = workflow.info()
        parent = info.parent.workflow_id if info.parent is not None else ""
        cell = cell_of(self._cells, info.workflow_id if CELL.search(info.workflow_id) else parent)
        self._cells[info.workflow_id] = cell  # a notice that a goal is parked has an id of its own
        if any(one.is_away and one.at.step == input.activity for one in cell.mishaps):
            input.schedule_to_close_timeout = _PATIENCE
        return super().start_activity(input)
