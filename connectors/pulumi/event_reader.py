"""Reads an event log piece by piece, as it arrives: bounded, and without the secrets that the run was given."""

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, cast
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationError

from connectors.pulumi.events import Diagnostic, Event, EventLog, LogEnd, PolicyViolation, ResourceEvent, Stage, Summary
from connectors.pulumi.values import MASK
from observability.redaction import redact

SHORTEST_SECRET: Final = 4
"""Characters; masking a shorter one would hide half of every text and protect nothing."""

_Fields = dict[str, JsonValue]
_VIOLATION: Final = "violates plan"
_VALUES: Final = re.compile(r"\[\{.*", re.DOTALL)
"""To the end: a value may hold whatever would end it."""
_STAGES: Final = {
    "resourcePreEvent": Stage.BEGAN,
    "resOutputsEvent": Stage.DONE,
    "resOpFailedEvent": Stage.FAILED,
}
_QUIET: Final = frozenset(
    {
        "preludeEvent",
        "stdoutEvent",
        "startDebuggingEvent",
        "progressEvent",
        "policyLoadEvent",
        "policyRemediationEvent",
        "policyRemediateSummaryEvent",
        "policyAnalyzeSummaryEvent",
        "policyAnalyzeStackSummaryEvent",
    }
)
"""Kinds that are known, and of which nothing is kept."""


class EventLimits(BaseModel):
    """How much of a log is read.

    Attributes:
        line: Bytes of one line; a longer one is dropped.
        total: Bytes of all lines.
        events: How many are kept.
        diagnostics: How many of those may be messages, so that a program that prints cannot push resources out.
        message: Characters of one message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    line: int = Field(default=4 * 1024 * 1024, gt=0)
    total: int = Field(default=256 * 1024 * 1024, gt=0)
    events: int = Field(default=100_000, gt=0)
    diagnostics: int = Field(default=5_000, gt=0)
    message: int = Field(default=8_000, gt=0)


class EventReader:
    """Follows one log.

    Args:
        secrets: What must not come out: passphrase, tokens, whatever was leased for the run. Also found as JSON, URLs
            and base64 write them, and each line of one that has several.
        limits: How much is read.
    """

    def __init__(self, *, secrets: Iterable[SecretStr] = (), limits: EventLimits | None = None) -> None:
        self._forms = _forms(secrets)
        self._limits = limits or EventLimits()
        self._rest = b""
        self._skipping = False
        self._read = 0
        self._events: list[Event] = []
        self._messages = 0
        self._unknown: Counter[str] = Counter()
        self._dropped = 0
        self._lost_resource = False

    def feed(self, data: bytes) -> tuple[Event, ...]:
        """Take what arrived; the events that it completed."""
        before = len(self._events)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._end_of_line(line)
        if len(self._rest) > self._limits.line:
            self._rest, self._skipping = b"", True
        return tuple(self._events[before:])

    def close(self) -> EventLog:
        """Nothing more comes. A last line without an end was cut off, and is dropped unless it is whole."""
        if self._rest or self._skipping:
            self._end_of_line(self._rest)
        self._rest = b""
        return EventLog(
            events=tuple(self._events),
            unknown=dict(self._unknown),
            dropped=self._dropped,
            resources_dropped=self._lost_resource,
        )

    def _end_of_line(self, line: bytes) -> None:
        self._read += len(line)
        if self._skipping or len(line) > self._limits.line or self._read > self._limits.total:
            self._skipping = False
            self._drop(resource=True)
        elif line.strip():
            self._line(line)

    def _line(self, line: bytes) -> None:
        try:
            read = cast("JsonValue", json.loads(line))
            fields = cast("_Fields", self._clean(read)) if isinstance(read, dict) else {}
            self._keep(fields)
        except (ValueError, RecursionError, OverflowError, ValidationError):
            # Whatever it was, it may have been about a resource: the log is no evidence any more.
            self._drop(resource=True)

    def _keep(self, fields: _Fields) -> None:
        kind = next((name for name in fields if name.endswith("Event")), None)
        if kind is None:
            raise ValueError("this is no event")
        body = fields[kind]
        if not isinstance(body, dict):
            raise ValueError("this is no event")  # noqa: TRY004 - of the text, not of a caller's type
        event = self._event(kind, {"sequence": fields.get("sequence"), "timestamp": fields.get("timestamp"), **body})
        if event is None:
            return
        is_message = isinstance(event, Diagnostic)
        if len(self._events) >= self._limits.events or (is_message and self._messages >= self._limits.diagnostics):
            self._drop(resource=not is_message)
            return
        self._messages += is_message
        self._events.append(event)

    def _event(self, kind: str, body: _Fields) -> Event | None:
        if (stage := _STAGES.get(kind)) is not None:
            return ResourceEvent.model_validate({**body, "kind": "resource", "stage": stage})
        if kind == "diagnosticEvent":
            return self._diagnostic(body)
        read = _READ.get(kind)
        if read is not None:
            return read({name: value for name, value in body.items() if name != "kind"})
        if kind not in _QUIET:
            self._unknown[kind[:100]] += 1
        return None

    def _diagnostic(self, body: _Fields) -> Diagnostic | None:
        """What is for debugging holds whole properties, and says nothing to people."""
        if body.get("severity") == "debug":
            return None
        message = redact.head(without_values(str(body.get("message", ""))), self._limits.message).strip()
        return Diagnostic.model_validate({**body, "kind": "diagnostic", "message": message}) if message else None

    def _drop(self, *, resource: bool) -> None:
        self._dropped += 1
        self._lost_resource = self._lost_resource or resource

    def _clean(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            for form in self._forms:
                value = value.replace(form, MASK)
            return value
        if isinstance(value, list):
            return [self._clean(one) for one in value]
        if isinstance(value, dict):
            return {str(self._clean(name)): self._clean(one) for name, one in value.items()}
        return value


def read_events(log: bytes, *, secrets: Iterable[SecretStr] = (), limits: EventLimits | None = None) -> EventLog:
    """A whole log at once."""
    reader = EventReader(secrets=secrets, limits=limits)
    reader.feed(log)
    return reader.close()


_READ: Final[dict[str, Callable[[_Fields], Event]]] = {
    "policyEvent": PolicyViolation.model_validate,
    "summaryEvent": Summary.model_validate,
    "cancelEvent": LogEnd.model_validate,
}


def without_values(message: str) -> str:
    """A plan's violation without the values that differ.

    With CLI 3.200 the value that was planned stands there in the clear even where it is a secret, and when the secret
    was rotated since, nobody who masks the stack's secrets knows it any more.
    """
    return _VALUES.sub("[values are not shown]", message) if _VIOLATION in message else message


def _forms(secrets: Iterable[SecretStr]) -> tuple[str, ...]:
    """In every spelling that programs and tools print, the longest first."""
    found: set[str] = set()
    for secret in secrets:
        whole = secret.get_secret_value()
        for part in {whole, whole.strip(), *(line.strip() for line in whole.splitlines())}:
            raw = part.encode(errors="surrogatepass")
            quoted = json.dumps(part)[1:-1]
            found |= {part, quoted, json.dumps(quoted)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
            found.add(quote(part, safe=""))
            for encoded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
                found |= {encoded, encoded.rstrip("=")}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST_SECRET), key=len, reverse=True))
