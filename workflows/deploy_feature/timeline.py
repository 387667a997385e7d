"""What a deployment has done so far, step by step, for whoever looks at it; and what people told it."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from hitl.hidden import unhidden
    from workflows.deploy_feature.goals import Mark, StepTold

_SIGNS: Final = {
    Mark.RUNNING: "▶",
    Mark.WAITING: "…",
    Mark.DONE: "✓",
    Mark.FAILED: "✗",
    Mark.SKIPPED: "⤼",
    Mark.NOT_DONE: "–",
}
_LONGEST: Final = 500


class Timeline:
    """The steps that were begun, in order; one that is begun again takes its old place.

    Args:
        changed: Called when there is something new to see.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._steps: dict[str, StepTold] = {}
        self._record: list[str] = []

    @property
    def steps(self) -> tuple[StepTold, ...]:
        """As they stand."""
        return tuple(self._steps.values())

    @property
    def record(self) -> tuple[str, ...]:
        """What people told it, in order."""
        return tuple(self._record)

    def step(self, name: str, *, mark: Mark = Mark.RUNNING) -> "Begun":
        """A step, for the block that carries it out."""
        return Begun(self, name, mark)

    def put(self, told: StepTold) -> None:
        """One step as it stands now."""
        self._steps[told.name] = told
        self._changed()

    def note(self, line: str) -> None:
        """Something that somebody did, with its time."""
        self._record.append(unhidden(f"{workflow.now():%Y-%m-%d %H:%M:%S} UTC {line}")[:_LONGEST])
        self._changed()

    def is_begun(self, name: str) -> bool:
        """Whether it is too late to leave this step out."""
        return name in self._steps

    def lines(self) -> list[str]:
        """For people, one a step."""
        return [_line(one) for one in self._steps.values()]


class Begun:
    """A step under way. It is done at the end of its block, unless it is told otherwise or the block fails."""

    def __init__(self, timeline: Timeline, name: str, mark: Mark) -> None:
        self._timeline = timeline
        self._told = StepTold(name=name, mark=mark, began=workflow.now())
        self._end, self._why = Mark.DONE, ""

    def failed(self, why: str) -> None:
        """It ended, and not well."""
        self._end, self._why = Mark.FAILED, why

    def __enter__(self) -> Self:
        self._timeline.put(self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end, why = self._end, self._why
        if isinstance(error, asyncio.CancelledError):
            end, why = Mark.NOT_DONE, "it was cancelled"
        elif isinstance(error, Exception):
            end, why = Mark.FAILED, unhidden(str(error))
        elif error is not None:
            return  # the worker ends, and the step goes on with the next one
        update: dict[str, object] = {"mark": end, "ended": workflow.now(), "why": unhidden(why)[:_LONGEST]}
        self._timeline.put(self._told.model_copy(update=update))


def _line(told: StepTold) -> str:
    ended = told.ended or told.began
    took = f" ({(ended - told.began).total_seconds():.0f} s)" if told.ended and told.began and ended else ""
    return f"{_SIGNS[told.mark]} {told.name}{took}" + (f": {told.why.splitlines()[0]}" if told.why else "")
