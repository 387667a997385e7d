"""Numbers over a time from the deployment's own Prometheus: few series, and few points of each."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import MalformedAnswer
from connectors.telemetry.asking import ask_store

_STORE: Final = "Prometheus"
_MOST_BYTES: Final = 2 * 1024 * 1024
_SECONDS: Final = 20.0
_POINTS: Final = 30
"""Of one series."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Series(_Part):
    metric: dict[str, str] = Field(default_factory=dict[str, str])
    values: list[tuple[float, str]]


class _Matrix(_Part):
    resultType: Literal["matrix"]  # noqa: N815 - Prometheus's name
    result: list[_Series]


class _Answer(_Part):
    status: Literal["success"]
    data: _Matrix


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """One series.

    Attributes:
        labels: As Prometheus has them.
        points: When, and what.
    """

    labels: dict[str, str]
    points: list[tuple[datetime, float]]


class PrometheusRange:
    """Where numbers are asked for.

    Args:
        base_url: Its address.
    """

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url.rstrip('/')}/api/v1/query_range"

    async def numbers(self, expression: str, *, minutes: int, now: datetime) -> list[Numbers]:
        """What an expression gave in that time, every series of it.

        Raises:
            InvalidRequest: Prometheus does not understand it, or it gives too much.
            Unavailable: It does not answer.
            MalformedAnswer: Its answer makes no sense.
        """
        span = timedelta(minutes=minutes)
        asked = {
            "query": expression,
            "start": f"{(now - span).timestamp():.3f}",
            "end": f"{now.timestamp():.3f}",
            "step": str(max(15, math.ceil(span.total_seconds() / _POINTS))),
            "timeout": f"{_SECONDS:g}s",
        }
        body = await ask_store(_STORE, self._url, asked, seconds=_SECONDS, most=_MOST_BYTES)
        try:
            found = _Answer.model_validate_json(body).data.result
            return [Numbers(labels=one.metric, points=[_point(*value) for value in one.values]) for one in found]
        except (ValidationError, ValueError, OverflowError) as error:
            raise MalformedAnswer(f"{_STORE}'s answer makes no sense") from error


def _point(at: float, value: str) -> tuple[datetime, float]:
    return datetime.fromtimestamp(at, UTC), float(value)
