"""What the pages of health say, ready for their templates: figures with their curves, and reports in a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from activities.health.figures import FIGURES, FigureKind, FigureName, Trend
from workflows.health.contracts import HealthState

WIDTH: Final = 120.0
HEIGHT: Final = 28.0
_EDGE: Final = 3.0
_MOST_ROWS: Final = 30
_KB: Final = 1000
_IN_TABLE: Final = (
    FigureName.FAILING_CHECKS,
    FigureName.OPEN_PULLS,
    FigureName.PINNED,
    FigureName.WIDE_WORKFLOWS,
    FigureName.TESTS,
    FigureName.TESTED,
    FigureName.SIZE,
)
_WORDS: Final[dict[Trend, str]] = {"better": "better", "worse": "worse", "same": "as before", "changed": "changed"}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A figure over time, as places in a drawing of 120 by 28.

    Attributes:
        points: As SVG has them; empty where there is one alone.
        last: The last place.
        told: The same in words, for whoever does not see it.
    """

    points: str
    last: tuple[float, float]
    told: str


@dataclass(frozen=True, kw_only=True)
class FigureShown:
    """One figure of the latest report.

    Attributes:
        value: With its unit; a dash where it is not known.
        trend: Against the report before.
        change: The same in words.
    """

    kind: FigureKind
    value: str
    told: str
    advice: str
    trend: Trend | None
    change: str
    curve: Curve | None


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """One report, as a row of the table."""

    at: datetime
    commit: str
    values: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class HealthShown:
    """All of one repository."""

    repository: str
    at: datetime
    commit: str
    reports: int
    figures: Sequence[FigureShown]
    heads: Sequence[str]
    rows: Sequence[ReportRow]

    @property
    def to_do(self) -> int:
        """How many figures come with an advice."""
        return sum(bool(one.advice) for one in self.figures)


def shown(state: HealthState) -> HealthShown | None:
    """What the page of a repository says; None where it was not reported on yet."""
    if state.latest is None:
        return None
    known = {one.name: one for one in state.latest.figures}
    return HealthShown(
        repository=state.repository,
        at=state.latest.at,
        commit=state.latest.commit,
        reports=len(state.past),
        figures=[_figure(state, name) for name in FIGURES if name in known],
        heads=[FIGURES[name].label for name in _IN_TABLE],
        rows=[
            ReportRow(at=one.at, commit=one.commit, values=[_valued(one.values.get(name), name) for name in _IN_TABLE])
            for one in state.past[: -_MOST_ROWS - 1 : -1]
        ],
    )


def _figure(state: HealthState, name: FigureName) -> FigureShown:
    assert state.latest is not None  # noqa: S101 - the caller looked
    figure = next(one for one in state.latest.figures if one.name is name)
    before = state.before(state.latest.run)
    then = before.values.get(name) if before else None
    trend = figure.kind.trend(figure.value, then)
    change = "" if trend is None else f"{_WORDS[trend]}: it was {_valued(then, name)}"
    return FigureShown(
        kind=figure.kind,
        value=_valued(figure.value, name),
        told=figure.told,
        advice=figure.advice,
        trend=trend,
        change=_WORDS["same"] if trend == "same" else change,
        curve=_curve(state, name),
    )


def _curve(state: HealthState, name: FigureName) -> Curve | None:
    known = [(one.at, one.values[name]) for one in state.past if name in one.values]
    if not known:
        return None
    values = [value for _, value in known]
    low, high = min(values), max(values)
    first, span = known[0][0], (known[-1][0] - known[0][0]).total_seconds()

    def place(at: datetime, value: float) -> tuple[float, float]:
        across = (at - first).total_seconds() / span if span else 1.0
        up = (value - low) / (high - low) if high > low else 0.5
        return round(_EDGE + across * (WIDTH - 2 * _EDGE), 1), round(HEIGHT - _EDGE - up * (HEIGHT - 2 * _EDGE), 1)

    places = [place(at, value) for at, value in known]
    told = f"{len(known)} reports, from {_valued(values[0], name)} to {_valued(values[-1], name)}"
    points = " ".join(f"{x},{y}" for x, y in places) if len(places) > 1 else ""
    return Curve(points=points, last=places[-1], told=told)


def _valued(value: float | None, name: FigureName) -> str:
    """A value with its unit, where that is short; a dash for none."""
    if value is None:
        return "–"
    if name is FigureName.SIZE:
        return _bytes(value)
    number = f"{value:,.1f}".removesuffix(".0")
    unit = FIGURES[name].unit
    return f"{number} %" if unit == "%" else f"{number} days" if unit.startswith("days") else number


def _bytes(value: float) -> str:
    for unit in ("B", "kB", "MB"):
        if value < _KB:
            return f"{value:,.1f}".removesuffix(".0") + f" {unit}"
        value /= _KB
    return f"{value:,.1f} GB"
