"""Log lines from the deployment's own Loki: the newest of a time, those of a service, of a goal, with some words."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import MalformedAnswer
from connectors.telemetry.asking import ask_store

_STORE: Final = "Loki"
_MOST_BYTES: Final = 2 * 1024 * 1024
_SECONDS: Final = 20.0


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Stream(_Part):
    stream: dict[str, str] = Field(default_factory=dict[str, str])
    values: list[tuple[str, str]]


class _Streams(_Part):
    resultType: Literal["streams"]  # noqa: N815 - Loki's name
    result: list[_Stream]


class _Answer(_Part):
    status: Literal["success"]
    data: _Streams


@dataclass(frozen=True, kw_only=True)
class LogQuestion:
    """What is asked for; all that is given must be so.

    Attributes:
        contains: Words that a line has, as they are.
        service: As in `worker-connectors`; empty for all.
        goal: The workflow id that a line tells of; empty for any.
        minutes: Back from now.
        most: Lines; the newest.
    """

    contains: str
    service: str
    goal: str
    minutes: int
    most: int

    def logql(self) -> str:
        """The question in Loki's language. Whatever the words are, they stay words."""
        where = f"service_name={_text(self.service)}" if self.service else 'service_name=~".+"'
        words = [one for one in (self.goal, self.contains) if one]
        return "".join([f"{{{where}}}", *(f" |= {_text(one)}" for one in words)])


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line, and when and where it was written."""

    at: datetime
    service: str
    line: str


class Loki:
    """Where lines are asked for.

    Args:
        base_url: Its address.
    """

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url.rstrip('/')}/loki/api/v1/query_range"

    async def lines(self, wanted: LogQuestion, *, now: datetime) -> list[LogLine]:
        """The newest lines that fit, in the order in which they were written.

        Raises:
            InvalidRequest: Loki does not understand it, or they are too long together.
            Unavailable: It does not answer.
            MalformedAnswer: Its answer makes no sense.
        """
        asked = {
            "query": wanted.logql(),
            "start": _nanoseconds(now - timedelta(minutes=wanted.minutes)),
            "end": _nanoseconds(now),
            "limit": str(wanted.most),
            "direction": "backward",
        }
        body = await ask_store(_STORE, self._url, asked, seconds=_SECONDS, most=_MOST_BYTES)
        try:
            found = _Answer.model_validate_json(body).data.result
            lines = sorted(_lines(found), key=lambda one: one.at)
        except (ValidationError, ValueError, OverflowError) as error:
            raise MalformedAnswer(f"{_STORE}'s answer makes no sense") from error
        return lines[-wanted.most :]


def _lines(streams: Iterable[_Stream]) -> Iterable[LogLine]:
    for one in streams:
        service = one.stream.get("service_name", "")
        for at, line in one.values:
            seconds, rest = divmod(int(at), 10**9)
            moment = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest // 1000)
            yield LogLine(at=moment, service=service, line=line)


def _text(words: str) -> str:
    """A literal of LogQL, which has Go's escapes; JSON's are among them."""
    return json.dumps(words)


def _nanoseconds(at: datetime) -> str:
    return str(int(at.timestamp() * 10**6) * 1000)
