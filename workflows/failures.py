"""The one border where an error becomes a failure in a history, of steps and of workflows: no secret passes it.

What passes is short. Temporal's server keeps of a step that it tries again a failure of 4 kB at most, and in place of a
longer one the words "Failure exceeds size limit": of what a provider said, people would read nothing. The stacks that
are cut here stand whole in the worker's log.

Everything a failure says passes here (message, stack, details, the whole chain of causes), whoever raised it. What
stands in a history cannot be taken out again, so that this does not rely on anybody's care for messages.
"""

import contextlib
import json
from typing import Final

from pydantic import JsonValue
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter

from observability.redaction import MASK, redact

_JSON: Final = frozenset({b"json/plain", b"json/protobuf"})
_OPAQUE: Final = frozenset({b"binary/null", b"binary/encrypted"})
"""What says nothing, and what only those read who have the key."""

LONGEST: Final = 3072
"""Bytes of a whole failure, so that encryption, which adds to each part, does not take it over the server's 4 kB."""
_STACK: Final = 400
"""Characters of a stack that stay where not all of it can: its end, which says where the error was raised."""
_MESSAGE: Final = 1500
"""Bytes of a message that stay where not all else can."""


class RedactedFailures(DefaultFailureConverter):
    """The SDK's converter, whose failures are redacted."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Called by the SDK for an exception, and by itself for each of its causes."""
        super().to_failure(exception, payload_converter, failure)
        _clean(failure)
        _shorten(failure)


def _clean(failure: Failure) -> None:
    """Redact a failure in place, also what it brings from elsewhere: another process may know less."""
    failure.message = redact.text(failure.message)
    failure.stack_trace = redact.text(failure.stack_trace)
    if failure.HasField("encoded_attributes"):
        _clean_payload(failure.encoded_attributes)
    for given in (
        failure.application_failure_info.details,
        failure.canceled_failure_info.details,
        failure.timeout_failure_info.last_heartbeat_details,
    ):
        for payload in given.payloads:
            _clean_payload(payload)
    if failure.HasField("cause"):
        _clean(failure.cause)


def _clean_payload(payload: Payload) -> None:
    """Redact JSON; mask whatever else can be read, bytes too, for it is shown as text."""
    encoding = payload.metadata.get("encoding")
    if encoding in _OPAQUE:
        return
    said: JsonValue = None
    with contextlib.suppress(ValueError):
        said = json.loads(payload.data) if encoding in _JSON else None
    if said is None and payload.data != b"null":
        payload.CopyFrom(Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(MASK).encode()))
    elif (clean := redact.value(said)) != said:
        payload.data = json.dumps(clean, separators=(",", ":")).encode()


def _shorten(failure: Failure) -> None:
    """Take away in place what says least, until it is short enough: stacks, then the innermost causes, then words."""
    chain = [failure]
    while chain[-1].HasField("cause"):
        chain.append(chain[-1].cause)
    for left in (_STACK, 0):
        for one in reversed(chain):
            if failure.ByteSize() <= LONGEST:
                return
            _cut(one, message=None, stack=left)
    for one in reversed(chain[:-1]):
        if failure.ByteSize() <= LONGEST:
            return
        one.ClearField("cause")
    if failure.ByteSize() > LONGEST:
        _cut(failure, message=_MESSAGE, stack=0)


def _cut(failure: Failure, *, message: int | None, stack: int) -> None:
    """Cut one failure's own words, wherever they stand; those that are encrypted are left."""
    if not failure.HasField("encoded_attributes"):
        failure.message = _beginning(failure.message, message)
        failure.stack_trace = _end(failure.stack_trace, stack)
        return
    payload = failure.encoded_attributes
    with contextlib.suppress(ValueError):
        said: JsonValue = json.loads(payload.data) if payload.metadata.get("encoding") in _JSON else None
        if isinstance(said, dict):
            told, trace = str(said.get("message", "")), str(said.get("stack_trace", ""))
            cut = {"message": _beginning(told, message), "stack_trace": _end(trace, stack)}
            payload.data = json.dumps(cut, separators=(",", ":"), ensure_ascii=False).encode()


def _beginning(text: str, size: int | None) -> str:
    encoded = text.encode(errors="replace")
    return text if size is None or len(encoded) <= size else encoded[:size].decode(errors="ignore") + "…"


def _end(text: str, size: int) -> str:
    return text if len(text) <= size else ("…" + text[-size:] if size else "")
