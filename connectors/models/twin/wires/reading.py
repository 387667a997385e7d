"""Requests and answers held against the types of a provider's SDK, and what every conversation must keep to."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from connectors.models.twin.conversation import ToolCall, Turn, canonical
from connectors.models.twin.refusals import Kind, Refusal
from connectors.twins.handlers import NotAsDeclared

_JSON: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])
_FIELD: Final = re.compile(r"[a-z][a-z_]*")
_TAGS: Final = frozenset({"role", "type"})
_TYPES: Final = frozenset({"str", "int", "float", "bool", "list", "dict", "generator"})
Place = tuple[int | str, ...]
Read = TypeVar("Read", bound=BaseModel)


class Shape(BaseModel):
    """What the twin reads of a request; whether the rest fits its provider's types decide."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def json_object(body: bytes) -> dict[str, JsonValue]:
    """A body.

    Raises:
        Refusal: It is none.
    """
    try:
        return _JSON.validate_json(body)
    except ValidationError as error:
        raise Refusal(Kind.MALFORMED, "the body is no JSON object") from error


def fit(adapter: TypeAdapter[Any], value: object) -> None:
    """Hold a request against an SDK's type, which is lazy about what it calls iterable.

    Raises:
        Refusal: It does not fit; the detail names the place.
    """
    if (problem := _problem(adapter, value)) is not None:
        raise Refusal(Kind.MALFORMED, problem)


def told(adapter: TypeAdapter[Any], value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """An answer that fits an SDK's type.

    Raises:
        NotAsDeclared: It does not: a mistake in the twin.
    """
    try:
        adapter.validate_json(canonical(value), strict=True)
    except ValidationError as error:
        raise NotAsDeclared(f"the twin's answer is none: {error}") from error
    return value


def read(shape: type[Read], value: Mapping[str, JsonValue]) -> Read:
    """What the twin needs of a request that fits.

    Raises:
        Refusal: It has something that the twin does not know.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        place, said = _nearest(error.errors(include_url=False, include_input=False))
        raise Refusal(Kind.UNKNOWN, f"this twin does not know what is at {_path(place)}: {said}") from error


def taken(shape: type[Read], body: bytes) -> Read:
    """A body by the twin's own shape, where the provider's is no stricter.

    Raises:
        Refusal: It does not fit; the detail names the place.
    """
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise Refusal(Kind.MALFORMED, _said(error, ())) from error


def compact(arguments: str) -> str:
    """Those of a call that is told again, however its teller writes JSON; what is none stays."""
    try:
        return canonical(_JSON.validate_json(arguments))
    except ValidationError:
        return arguments


def require_pairs(turns: Sequence[Turn]) -> None:
    """Refuse a conversation in which calls and results do not belong together.

    Raises:
        Refusal: A call has no result right behind it, or a result no call right before it.
    """
    open_: dict[str, ToolCall] = {}
    for one in turns:
        if one.role == "tool":
            if open_.pop(one.answers, None) is None:
                raise Refusal(Kind.MALFORMED, f"a result is for {one.answers!r}, which no call right before it has")
        else:
            _require_none(open_)
            open_ = {call.id: call for call in one.calls}
    _require_none(open_)


def _require_none(calls: Mapping[str, ToolCall]) -> None:
    if calls:
        raise Refusal(Kind.MALFORMED, f"these calls have no result right behind them: {', '.join(calls)}")


def _problem(adapter: TypeAdapter[Any], value: object) -> str | None:
    try:
        return _drained(adapter.validate_python(value), ())
    except ValidationError as error:
        return _said(error, ())


def _drained(value: object, at: Place) -> str | None:
    """The first problem in what is only validated when somebody looks."""
    parts: Iterator[tuple[int | str, object]]
    if isinstance(value, Mapping):
        parts = iter(cast("Mapping[str, object]", value).items())
    elif isinstance(value, Iterator | list):
        parts = enumerate(cast("Iterable[object]", value))
    else:
        return None
    while True:
        try:
            name, one = next(parts)
        except StopIteration:
            return None
        except ValidationError as error:
            return _said(error, at)
        if (problem := _drained(one, (*at, name))) is not None:
            return problem


def _said(error: ValidationError, at: Place) -> str:
    place, message = _nearest(error.errors(include_url=False, include_input=False))
    return f"{_path((*at, *place))}: {message}"


def _nearest(errors: Sequence[ErrorDetails]) -> tuple[Place, str]:
    """Of a union's errors the first of the member that was meant: its tag is right."""
    meant_not = {one["loc"][:-1] for one in errors if one["type"] == "literal_error" and one["loc"][-1] in _TAGS}
    meant = [one for one in errors if not any(one["loc"][: len(place)] == place for place in meant_not)]
    first = (meant or errors)[0]
    return first["loc"], first["msg"]


def _path(place: Place) -> str:
    named = [str(one) for one in place if isinstance(one, int) or (_FIELD.fullmatch(one) and one not in _TYPES)]
    return ".".join(named) or "body"
