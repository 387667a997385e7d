"""A goal's steps as a timeline: how each stands, how long it took, and where it lies in the time of all of them.

Any goal has one whose status or result tells of `steps` in the way of `StepTold`. Steps side by side are seen to be so
by their bars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from workflows.contracts import GoalResult, GoalStatus
from workflows.deploy_feature.goals import Mark, StepTold

FULL: Final = 1000
"""A bar is so wide where its step took all of the time."""
_LEAST: Final = 4
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_UNDER_WAY: Final = frozenset({Mark.RUNNING, Mark.WAITING})


class ToldSteps(BaseModel):
    """What a goal tells of its steps, beside how it stands or ended. One without steps has no timeline."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    steps: tuple[StepTold, ...] = ()
    record: tuple[str, ...] = Field(default=(), description="What people told it, in order.")
    pull_request: int | None = None
    commands_left: tuple[str, ...] = Field(default=(), description="What a person runs now, in order.")


class StatusWithSteps(ToldSteps, GoalStatus):
    """The answer to the query `status`."""


class ResultWithSteps(ToldSteps, GoalResult):
    """How a goal ended."""


@dataclass(frozen=True, kw_only=True)
class StepShown:
    """One step, for a page.

    Attributes:
        took: How long, or for how long by now; None for one that was not begun.
        left: Where its bar begins, of `FULL`.
        width: How long the bar is.
    """

    name: str
    mark: Mark
    why: str
    began: datetime | None
    took: timedelta | None
    left: int
    width: int

    @property
    def under_way(self) -> bool:
        """Whether it has not ended."""
        return self.mark in _UNDER_WAY


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """All of a goal's steps, for a page.

    Attributes:
        took: From the first beginning to the last end, or by now.
        full: The width of the time of all.
        record: What people told it.
        pull_request: The one that it is about, where it says so.
        commands_left: What a person runs now.
    """

    steps: Sequence[StepShown]
    took: timedelta
    record: Sequence[str]
    pull_request: int | None
    commands_left: Sequence[str]
    full: int = FULL

    @property
    def done(self) -> int:
        """So many steps are over."""
        return len([one for one in self.steps if not one.under_way])


def timeline(told: ToldSteps | None, *, until: datetime | None = None) -> Timeline | None:
    """What a page shows; None where there is nothing to show.

    Args:
        told: By the goal.
        until: When it ended; now where it runs.
    """
    if told is None or not told.steps:
        return None
    now = (until or datetime.now(UTC)).astimezone(UTC)
    begins = [one.began for one in told.steps if one.began is not None]
    ends = [one.ended or now for one in told.steps if one.began is not None]
    first, last = min(begins, default=now), max(ends, default=now)
    # A worker's clock may be ahead of this one's.
    whole = max(last - first, timedelta(milliseconds=1))
    return Timeline(
        steps=[_shown(one, first=first, whole=whole, now=now) for one in told.steps],
        took=whole,
        record=told.record,
        pull_request=told.pull_request,
        commands_left=told.commands_left,
    )


def _shown(told: StepTold, *, first: datetime, whole: timedelta, now: datetime) -> StepShown:
    if told.began is None:
        return StepShown(name=told.name, mark=told.mark, why=told.why, began=None, took=None, left=0, width=0)
    took = max((told.ended or now) - told.began, timedelta())
    left = min(int(FULL * ((told.began - first) / whole)), FULL - _LEAST)
    width = min(max(int(FULL * (took / whole)), _LEAST), FULL - left)
    return StepShown(name=told.name, mark=told.mark, why=told.why, began=told.began, took=took, left=left, width=width)


def lasted(value: timedelta) -> str:
    """A duration as people read it: `0.4 s`, `21 s`, `3 min 5 s`, `2 h 10 min`."""
    seconds = value.total_seconds()
    if seconds < 10:  # noqa: PLR2004 - tenths matter below ten
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
