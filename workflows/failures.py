"""The one border where an error becomes a failure in a history, of steps and of workflows: no secret passes it.

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


class RedactedFailures(DefaultFailureConverter):
    """The SDK's converter, whose failures are redacted."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Called by the SDK for an exception, and by itself for each of its causes."""
        super().to_failure(exception, payload_converter, failure)
        _clean(failure)


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
