"""How inputs and results are written in histories: pydantic JSON, with errors that a person can act on.

What cannot be read in a workflow's own input would by default fail the *workflow task*, and in a step's the attempt,
both of which Temporal tries again for hours or for ever. Refused as `InvalidRequest` it ends the goal, or the step, at
once, with one line that names the field or the encoding. The same refusal drops a signal that nobody can read.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Final

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
    PayloadConverter,
)
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, bounded
from workflows.failures import RedactedFailures

PLAIN_ENCODING: Final = "binary/banksman-plain"
"""How a codec marks a payload that should have been encrypted and was not."""
SEALED_ENCODING: Final = "binary/banksman-sealed"
"""How a codec marks a payload that it cannot decrypt; its data say why."""

_JSON: Final = "json/plain"
_NOTHING: Final = "binary/null"
_BYTES: Final = "binary/plain"

_MOST_PROBLEMS = 8


def describe_problems(model: type, error: ValidationError) -> str:
    """All that is wrong with an input, in one line."""
    known = ", ".join(getattr(model, "model_fields", {}))
    problems = [
        _problem(problem["type"], problem["loc"], problem["msg"]) for problem in error.errors()[:_MOST_PROBLEMS]
    ]
    return f"{model.__name__}: {'; '.join(problems)}. Its fields: {known}. `banksman goals` shows an example."


def problems_by_field(error: ValidationError) -> Mapping[str, str]:
    """What is wrong with each field of an input, for a form; under the empty name what is wrong with the whole."""
    found: dict[str, list[str]] = {}
    for problem in error.errors()[:_MOST_PROBLEMS]:
        field, *inner = problem["loc"] or ("",)
        told = "is missing" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
        found.setdefault(str(field), []).append(f"{'.'.join(map(str, inner))}: {told}" if inner else told)
    return {field: "; ".join(told) for field, told in found.items()}


def _problem(kind: str, location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    match kind:
        case "missing":
            return f"field {where!r} is missing"
        case "extra_forbidden":
            return f"field {where!r} is unknown"
        case "json_invalid":
            return f"the input is not JSON ({message.removeprefix('Invalid JSON: ')})"
        case _:
            text = message.removeprefix("Value error, ")
            return f"field {where!r}: {text}" if where else text


class InputRefused(ApplicationError):
    """Nobody here can read what came in: `InvalidRequest`, with what to do about it."""

    def __init__(self, message: str) -> None:
        super().__init__(bounded(message), type=ErrorType.INVALID_REQUEST.value, non_retryable=True)


class PlainInputRefused(InputRefused):
    """The refusal of an unencrypted input. Its message stays readable: who forgot the codec cannot decrypt it."""


class _Failures(RedactedFailures):
    """Ends a step whose input is refused: the SDK puts the refusal into an error of its own, which is tried again."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        super().to_failure(_refusal_in(exception) or exception, payload_converter, failure)


class _EncryptedFailures(_Failures):
    """Encrypts messages and stack traces of failures, all but the one that says how to encrypt."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)
        self._plain = _Failures()

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        plain = isinstance(_refusal_in(exception), PlainInputRefused)
        converter = self._plain if plain else super()
        converter.to_failure(exception, payload_converter, failure)


def _refusal_in(exception: BaseException) -> InputRefused | None:
    for one in (exception, exception.__cause__):
        if isinstance(exception, ApplicationError) and isinstance(one, InputRefused):
            return one
    return None


class _ReadablePydanticConverter(PydanticJSONPlainPayloadConverter):
    """Turns pydantic's refusal into one of ours."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except ValidationError as error:
            raise InputRefused(describe_problems(type_hint or object, error)) from None


class _RefusePlain(EncodingPayloadConverter):
    """Ends a goal whose input came in unencrypted where encryption is required."""

    @property
    def encoding(self) -> str:
        return PLAIN_ENCODING

    def to_payload(self, value: Any) -> Payload | None:
        del value
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        del payload, type_hint
        raise PlainInputRefused(
            "the input came in unencrypted and now stands plain in the history; start the goal with "
            "`banksman run`, or give the Temporal CLI --codec-endpoint and --codec-auth"
        )


class BanksmanPayloadConverter(CompositePayloadConverter):
    """The default converters, with JSON by pydantic and readable refusals."""

    def __init__(self) -> None:
        readable = _ReadablePydanticConverter()
        super().__init__(
            _RefusePlain(),
            *(
                readable if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            ),
        )

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Read all of them, each as what is expected in its place.

        Raises:
            InputRefused: One cannot be read so.
        """
        hints = chain(type_hints or (), repeat(None))  # fewer hints than payloads, or more, as the SDK takes them
        return [self._read(payload, hint) for payload, hint in zip(payloads, hints, strict=False)]

    def _read(self, payload: Payload, hint: type | None) -> Any:
        encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
        if hint is not None and hint is not RawValue:
            if encoding == _NOTHING:
                payload = Payload(metadata={"encoding": _JSON.encode()}, data=b"null")
            elif encoding not in _expected(hint):
                raise InputRefused(_unreadable(encoding, payload))
        try:
            [value] = super().from_payloads([payload], None if hint is None else [hint])
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputRefused(_unreadable(encoding, payload)) from error
        return value


def _expected(hint: type) -> frozenset[str]:
    """The encodings, besides the marks of a codec, that a value of this type can be in."""
    return frozenset({_JSON, PLAIN_ENCODING, *([_BYTES] if hint is bytes else ())})


def _unreadable(encoding: str, payload: Payload) -> str:
    """What is wrong with a payload, and what to do about it, in one line."""
    if encoding == SEALED_ENCODING:
        return payload.data.decode(errors="replace")
    if encoding.startswith("binary/encrypted"):
        return (
            f"the input came in as {encoding!r}, and nothing is encrypted here: start the goal with `banksman run`, "
            "or leave --codec-endpoint of the Temporal CLI out"
        )
    named = f"in the encoding {encoding[:80]!r}" if encoding else "without an encoding"
    return f"the input came in {named}, which nobody here reads: give plain JSON ({_JSON!r}), as `banksman run` does"


def data_converter(codec: PayloadCodec | None = None) -> DataConverter:
    """The one converter of workers, command, tests and replay.

    Args:
        codec: Encrypts payloads; failure messages are then encrypted with them.
    """
    converter = DataConverter(payload_converter_class=BanksmanPayloadConverter, failure_converter_class=_Failures)
    if codec is None:
        return converter
    return dataclasses.replace(converter, payload_codec=codec, failure_converter_class=_EncryptedFailures)
