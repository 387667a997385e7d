"""How inputs and results are written in histories: pydantic JSON, with errors that a person can act on.

A decoding error in a workflow's own input would by default fail the *workflow task*, which Temporal retries for
ever. Raised as an `ApplicationError` it ends the goal at once, with one line that names the field.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
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

from activities.error_types import ErrorType, application_error
from workflows.failures import RedactedFailures

PLAIN_ENCODING: Final = "binary/banksman-plain"
"""How a codec marks a payload that should have been encrypted and was not."""

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


class _ReadablePydanticConverter(PydanticJSONPlainPayloadConverter):
    """Turns pydantic's refusal into the error table's `InvalidRequest`."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except ValidationError as error:
            raise application_error(ErrorType.INVALID_REQUEST, describe_problems(type_hint or object, error)) from None


class PlainInputRefused(ApplicationError):
    """The refusal of an unencrypted input. Its message stays readable: who forgot the codec cannot decrypt it."""


class _EncryptedFailures(RedactedFailures):
    """Encrypts messages and stack traces of failures, all but the one that says how to encrypt."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)
        self._plain = RedactedFailures()

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        converter = self._plain if isinstance(exception, PlainInputRefused) else super()
        converter.to_failure(exception, payload_converter, failure)


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
            "`banksman run`, or give the Temporal CLI --codec-endpoint and --codec-auth",
            type=ErrorType.INVALID_REQUEST.value,
            non_retryable=True,
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


def data_converter(codec: PayloadCodec | None = None) -> DataConverter:
    """The one converter of workers, command, tests and replay.

    Args:
        codec: Encrypts payloads; failure messages are then encrypted with them.
    """
    converter = DataConverter(
        payload_converter_class=BanksmanPayloadConverter, failure_converter_class=RedactedFailures
    )
    if codec is None:
        return converter
    return dataclasses.replace(converter, payload_codec=codec, failure_converter_class=_EncryptedFailures)
