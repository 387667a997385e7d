"""One operation of a twin: a method that says by its signature what it takes and what it answers.

    @handles(GET_BOX)
    def box(self, box: str, query: Wanted, body: Change, caller: Key) -> TwinBox: ...

`box` is a parameter of the operation's path; `query` and `body` are models that the request must fit; `caller` is what
the twin's `authorise` gave; `request` is the request itself. Each may be left out but those of the path. The answer is
a model, a list of models, None for an empty one, or a `Reply` with a status other than the operation's or with headers.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from connectors.http.operation import NOTHING, Operation
from connectors.twins.problems import Problem

Content = TypeVar("Content")
Method = TypeVar("Method", bound=Callable[..., object])

_MARK: Final = "__banksman_operation__"
_OF_REQUEST: Final = frozenset({"query", "body", "caller", "request"})


class NotAsDeclared(Exception):
    """A twin answers what it does not say it does, or what its provider's client cannot read: a mistake in the twin."""


@dataclass(frozen=True, kw_only=True)
class Reply(Generic[Content]):
    """An answer that is not only its content.

    Attributes:
        content: As the handler's annotation says.
        status: None: the operation's own.
        headers: Of the answer.
    """

    content: Content
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def handles(operation: Operation[Any]) -> Callable[[Method], Method]:
    """Makes a method of a `Twin` answer this operation."""

    def mark(method: Method) -> Method:
        setattr(method, _MARK, operation)
        return method

    return mark


def operation_of(method: object) -> Operation[Any] | None:
    """What a method answers, or None where it is no handler."""
    operation: object = getattr(method, _MARK, None)
    return operation if isinstance(operation, Operation) else None  # pyright: ignore[reportUnknownVariableType] - of any


class Handler:
    """An operation and the method that answers it.

    Args:
        operation: Which one.
        method: Of a twin, bound to it.
        malformed: The status of a refusal of what does not fit.
        nulls: Whether fields without a value are answered as null, and not left out.

    Raises:
        TypeError: The method takes what no request has, or leaves out what the path has, or says no answer.
    """

    def __init__(
        self, operation: Operation[Any], method: Callable[..., object], *, malformed: int, nulls: bool
    ) -> None:
        hints = get_type_hints(method)
        self._takes = set(inspect.signature(method).parameters)
        if self._takes - _OF_REQUEST != set(operation.parameters) or "return" not in hints:
            raise TypeError(
                f"{method.__qualname__} takes {sorted(self._takes)} for {operation.name}: it takes the parameters of "
                f"its path, any of {sorted(_OF_REQUEST)}, and says what it answers"
            )
        self.operation, self._method, self._malformed, self._nulls = operation, method, malformed, nulls
        self._models: Mapping[str, type[BaseModel]] = {
            name: hints[name] for name in ("query", "body") if name in self._takes
        }
        said: Any = hints["return"]
        self._answer: TypeAdapter[object] = TypeAdapter(get_args(said)[0] if get_origin(said) is Reply else said)

    async def answer(self, request: Request, caller: object) -> Response:
        """Check a request, let it be answered, and check the answer.

        Raises:
            Problem: The request does not fit its models, or the method refuses it.
            NotAsDeclared: The answer does not fit.
        """
        given: dict[str, object] = {**request.path_params, "caller": caller, "request": request}
        if "query" in self._models:
            given["query"] = self._read("query", _query(request))
        if "body" in self._models:
            given["body"] = self._read("body", await request.body())
        answered = self._method(**{name: given[name] for name in self._takes})
        if inspect.isawaitable(answered):
            answered = await cast("Any", answered)
        reply = cast("Reply[object]", answered) if isinstance(answered, Reply) else Reply(content=answered)
        status = self.operation.status if reply.status is None else reply.status
        if reply.content is None:
            return Response(status_code=status, headers=reply.headers)
        content = self._checked(reply.content)
        return Response(content, status_code=status, headers=reply.headers, media_type="application/json")

    def _read(self, name: str, given: object) -> BaseModel:
        model = self._models[name]
        try:
            return model.model_validate_json(given) if isinstance(given, bytes) else model.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            told = "; ".join(f"{'.'.join(map(str, one['loc'])) or name}: {one['msg']}" for one in found)
        raise Problem(self._malformed, told)

    def _checked(self, content: object) -> bytes:
        told = self._answer.dump_json(content, by_alias=True, exclude_none=not self._nulls, warnings="error")
        try:
            self._answer.validate_json(told)
            if self.operation.answer is not NOTHING:
                self.operation.answer.validate_json(told)
        except ValidationError as error:
            raise NotAsDeclared(f"the twin's answer to {self.operation.name} is none: {error}") from error
        return told


def handlers(twin: object, *, malformed: int, nulls: bool) -> list[Handler]:
    """All of a twin's, those with fewer parameters in their path first: `/boxes/new` goes before `/boxes/{box}`."""
    marked = [(name, operation_of(one)) for name, one in inspect.getmembers_static(type(twin), callable)]
    found = [
        Handler(one, getattr(twin, name), malformed=malformed, nulls=nulls) for name, one in marked if one is not None
    ]
    return sorted(found, key=lambda one: (len(one.operation.parameters), one.operation.name))


def _query(request: Request) -> dict[str, object]:
    """Each name with its value, or with all of them where it has several."""
    given = request.query_params
    lists = {name: given.getlist(name) for name in given}
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}
