"""The steps on log lines and numbers, with the stores that the deployment names. They have no credential."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from activities.step import implements
from activities.telemetry.contracts import (
    MOST_SERIES,
    QUERY_METRICS,
    SEARCH_LOGS,
    QueryMetricsRequest,
    SearchLogsRequest,
    TelemetryFound,
)
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.telemetry.loki import LogLine, LogQuestion, Loki
from connectors.telemetry.prometheus import Numbers, PrometheusRange
from hitl.hidden import visible
from observability.redaction import redact

_LONGEST_LINE: Final = 1000


class TelemetryActivities:
    """The steps.

    Args:
        artifacts: Where what was found lies.
        loki: The deployment's; None where it names none.
        prometheus: Likewise.
    """

    def __init__(self, artifacts: ArtifactStore, *, loki: Loki | None, prometheus: PrometheusRange | None) -> None:
        self._artifacts, self._loki, self._prometheus = artifacts, loki, prometheus

    @implements(SEARCH_LOGS)
    async def search_logs(self, request: SearchLogsRequest) -> TelemetryFound:
        """Find lines. That there are none is a result.

        Raises:
            InvalidRequest: The deployment names no store, or the question cannot be answered.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        if self._loki is None:
            raise InvalidRequest("this deployment names no store of log lines: set BANKSMAN_TELEMETRY_LOKI")
        wanted = LogQuestion(
            contains=request.contains,
            service=request.service,
            goal=request.goal,
            minutes=request.minutes,
            most=request.lines,
        )
        found = await self._loki.lines(wanted, now=datetime.now(UTC))
        return await self._kept([_line(one) for one in found], len(found))

    @implements(QUERY_METRICS)
    async def query_metrics(self, request: QueryMetricsRequest) -> TelemetryFound:
        """Find numbers. That there are none is a result.

        Raises:
            InvalidRequest: The deployment names no Prometheus, or the question cannot be answered.
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        if self._prometheus is None:
            raise InvalidRequest("this deployment names no Prometheus: set BANKSMAN_TELEMETRY_PROMETHEUS")
        found = await self._prometheus.numbers(request.expression, minutes=request.minutes, now=datetime.now(UTC))
        lines = [_series(one) for one in found[:MOST_SERIES]]
        more = [f"and {len(found) - MOST_SERIES} more series"] if len(found) > MOST_SERIES else []
        return await self._kept([*lines, *more], len(found))

    async def _kept(self, lines: Sequence[str], found: int) -> TelemetryFound:
        content = ("\n".join(lines) or "nothing was found").encode("utf-8", "replace")
        return TelemetryFound(artifact=await self._artifacts.put(content), found=found, size=len(content))


def _line(one: LogLine) -> str:
    return f"{one.at:%Y-%m-%dT%H:%M:%S.%fZ} {visible(one.service)} {visible(redact.head(one.line, _LONGEST_LINE))}"


def _series(one: Numbers) -> str:
    labels = ", ".join(f"{visible(name)}={visible(value)}" for name, value in sorted(one.labels.items()))
    points = " ".join(f"{at:%d-%H:%M}={value:g}" for at, value in one.points)
    return f"{{{labels}}} {points}"
