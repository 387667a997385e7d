"""What a dashboard is made of: panels with a question each, in the order in which they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HOUR: Final = "1h"
DAY: Final = "1d"
COUNT: Final = "short"
"""The unit of what is counted."""
OF_PROVIDER: Final = "action:provider*"
"""Narrows by a step's name, which begins with its provider's."""
OURS: Final = '{service_namespace="banksman"}'
"""The lines of all our processes."""


@dataclass(frozen=True, kw_only=True)
class Stat:
    """One number.

    Attributes:
        what: What it counts, in a sentence.
        query: PromQL.
        red_from: From this on it is red; None for a number that is neither good nor bad.
        red_below: Below this it is red.
    """

    title: str
    what: str
    query: str
    unit: str = COUNT
    red_from: float | None = None
    red_below: float | None = None


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Numbers over time.

    Attributes:
        queries: PromQL by legend.
    """

    title: str
    what: str
    queries: Mapping[str, str]
    unit: str = COUNT


@dataclass(frozen=True, kw_only=True)
class Table:
    """What there is now, a row each.

    Attributes:
        query: PromQL.
    """

    title: str
    what: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Logs:
    """Lines.

    Attributes:
        query: LogQL.
    """

    title: str
    what: str
    query: str


Panel = Stat | Graph | Table | Logs


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard.

    Attributes:
        name: Of its file, and the end of its uid.
        variables: What it can be narrowed to, besides the environment: `goal`, `provider`.
    """

    name: str
    title: str
    what: str
    panels: tuple[Panel, ...]
    variables: tuple[str, ...] = ()


def of(metric: str, *narrowed: str, **labels: str) -> str:
    """A metric of the environments that are chosen.

    Args:
        metric: Its name, as Prometheus has it.
        narrowed: Labels that a variable of the same name narrows down, as in `goal`; `workflow_type:goal` for another,
            and `action:provider*` where it is what the label begins with.
        labels: What its labels match, as a regular expression.
    """
    matched = [f'{name}=~"{value}"' for name, value in labels.items()]
    matched += [_narrowed(one) for one in ("environment", *narrowed)]
    return f"{metric}{{{','.join(matched)}}}"


def _narrowed(by: str) -> str:
    label, _, variable = by.removesuffix("*").partition(":")
    rest = ".*" if by.endswith("*") else ""
    return f'{label}=~"${variable or label}{rest}"'


def most(by: str, selected: str) -> str:
    """What every gateway counts alike, by these labels."""
    return f"max by ({by}) ({selected})"


def most_grown(by: str, selected: str, *, within: str = HOUR) -> str:
    """How much a counter has grown that every gateway counts alike."""
    return most(by, f"increase({selected}[{within}])")


def grown(selected: str, *, within: str = HOUR, by: str = "") -> str:
    """How much a counter has grown, over all processes; nought where there is none."""
    grouped = f"sum by ({by}) " if by else "sum"
    text = f"{grouped}(increase({selected}[{within}]))"
    return text if by else f"{text} or vector(0)"


def a_minute(selected: str, *, by: str) -> str:
    """How fast a counter grows."""
    return f"sum by ({by}) (rate({selected}[$__rate_interval])) * 60"


def quantile(share: float, selected: str, *, by: str = "") -> str:
    """A quantile of a histogram, whose buckets are given."""
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({selected}[$__rate_interval])))"
