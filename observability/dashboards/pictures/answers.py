"""What Prometheus and the log store answer to a panel's question."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from connectors.authorities import authorities
from observability.dashboards.board import OURS

_TIMEOUT: Final = 30.0
_VARIABLE: Final = re.compile(r"\$(\w+)|\$\{(\w+)[^}]*\}")
_INTERVALS: Final = {"__rate_interval": "1m", "__interval": "15s", "__range": "1h"}
_POINTS: Final = 120
_LINES: Final = 12
_PARTS: Final = {
    re.compile(re.escape(OURS)): "",
    re.compile(r'\{service_name="([\w-]+)"\}'): r'service.name:="\1"',
    re.compile(r'\| detected_level=~"([\w|]+)"'): r'severity_text:~"^(\1)$"',
    re.compile(r'\|= ("[^"]+")'): r"\1",
    re.compile(r'\|~ ("[^"]+")'): r"~\1",
}
"""What our queries in LogQL are made of, and what each is to VictoriaLogs."""


@dataclass(frozen=True)
class Series:
    """Numbers over time, with the labels that tell them apart; the last one is that of now."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    time: str
    service: str
    level: str
    text: str


def everything(query: str) -> str:
    """A dashboard's query as Grafana sends it when everything is chosen."""
    return _VARIABLE.sub(lambda found: _INTERVALS.get(found[1] or found[2], ".*"), query)


def as_logs_ql(query: str) -> str:
    """A LogQL query of ours in the language of VictoriaLogs, which stands in for Loki on one machine.

    Raises:
        ValueError: It is of no shape that our dashboards have.
    """
    words: list[str] = []
    rest = query
    while rest:
        found = next(filter(None, (shape.match(rest) for shape in _PARTS)), None)
        if found is None:
            raise ValueError(f"{query!r} cannot be put to VictoriaLogs from {rest!r} on")
        words.append(found.expand(_PARTS[found.re]))
        rest = rest[found.end() :].lstrip()
    return " ".join(filter(None, words)) or "*"


class Answers:
    """Asks the two servers of `banksman up --observability`.

    Args:
        prometheus: Where Prometheus answers.
        log_store: Where VictoriaLogs does.
        minutes: How far back a graph goes.
    """

    def __init__(self, prometheus: str, log_store: str, *, minutes: float = 15) -> None:
        self._prometheus = prometheus
        self._log_store = log_store
        self._end = time.time()
        self._start = self._end - minutes * 60

    def now(self, query: str) -> list[Series]:
        """What there is now."""
        found = self._asked("query", query=everything(query))
        return [Series(one["metric"], (_point(one["value"]),)) for one in found]

    def over_time(self, query: str) -> list[Series]:
        """What there was since the start."""
        step = (self._end - self._start) / _POINTS
        span = {"start": f"{self._start}", "end": f"{self._end}", "step": f"{step:.0f}"}
        found = self._asked("query_range", query=everything(query), **span)
        return [Series(one["metric"], tuple(map(_point, one["values"]))) for one in found]

    def lines(self, query: str) -> list[Line]:
        """The newest lines."""
        asked = f"{as_logs_ql(query)} | sort by (_time) desc | limit {_LINES}"
        answer = httpx.post(
            f"{self._log_store}/select/logsql/query", data={"query": asked}, timeout=_TIMEOUT, verify=authorities()
        )
        answer.raise_for_status()
        found = [json.loads(line) for line in answer.text.splitlines()]
        return [
            Line(
                one.get("_time", "")[11:19],
                one.get("service.name", ""),
                one.get("severity_text", ""),
                one.get("_msg", ""),
            )
            for one in found
        ]

    def _asked(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self._prometheus}/api/v1/{path}", params=parameters, timeout=_TIMEOUT, verify=authorities()
        )
        answer.raise_for_status()
        return answer.json()["data"]["result"]


def _point(value: tuple[float, str]) -> tuple[float, float]:
    return float(value[0]), float(value[1])
