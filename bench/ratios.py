"""The arithmetic of the bench: two series measured in turn, compared pair by pair. Pure.

A machine is not equally fast from one minute to the next, so two averages taken apart compare the minutes. Neighbours
in time share their minute: the ratio of each pair is what is told, as its median and its 10th and 90th percentile.
"""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

LOW, HIGH = 0.1, 0.9
"""Which percentiles are told as the spread."""


class Hold(BaseModel):
    """What a ratio is held to."""

    model_config = ConfigDict(frozen=True)

    sense: Literal["at most", "at least"]
    limit: float

    def met(self, value: float) -> bool:
        """Whether the value is on the right side; the limit itself is."""
        return value <= self.limit if self.sense == "at most" else value >= self.limit

    def __str__(self) -> str:
        return f"{'≤' if self.sense == 'at most' else '≥'} {self.limit:g}"


class Spread(BaseModel):
    """Where the middle of some values lies, and how far they spread."""

    model_config = ConfigDict(frozen=True)

    low: float
    median: float
    high: float


class Ratio(BaseModel):
    """One comparison.

    Attributes:
        pairs: How many were measured.
        ours: In the unit of the series.
        other: What it is measured against, in the same unit.
        ratio: Of ours over the other, pair by pair.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    against: str
    unit: str
    pairs: int
    ours: Spread
    other: Spread
    ratio: Spread
    hold: Hold | None = None

    @property
    def held(self) -> bool | None:
        """Whether the median is on the right side; None where nothing is asked of it."""
        return None if self.hold is None else self.hold.met(self.ratio.median)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed, between its neighbours in proportion.

    Args:
        values: In any order.
        share: From 0, the smallest, to 1, the largest.

    Raises:
        ValueError: There is no value, or no such share.
    """
    if not values or not 0 <= share <= 1:
        raise ValueError(f"no percentile {share!r} of {len(values)} values")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float]) -> Spread:
    """Median, 10th and 90th percentile.

    Raises:
        ValueError: There is no value.
    """
    return Spread(low=percentile(values, LOW), median=percentile(values, 0.5), high=percentile(values, HIGH))


def pairwise(ours: Sequence[float], other: Sequence[float]) -> list[float]:
    """Each of ours over the one measured next to it.

    Raises:
        ValueError: The series are not equally long, are empty, or hold what no measurement gives.
    """
    if len(ours) != len(other):
        raise ValueError(f"{len(ours)} of ours and {len(other)} of the other make no pairs")
    if any(value <= 0 or not math.isfinite(value) for value in (*ours, *other)):
        raise ValueError("a measurement is a finite number above 0")
    return [mine / theirs for mine, theirs in zip(ours, other, strict=True)]
