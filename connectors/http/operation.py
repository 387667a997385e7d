"""What a provider can be asked: an operation, declared once for its client and its twin, and one call of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter

Answer = TypeVar("Answer")
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

NOTHING: Final[TypeAdapter[None]] = TypeAdapter(None)
"""The answer of an operation whose answer is not read."""

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, eq=False)
class Operation(Generic[Answer]):
    """One thing that a provider can be asked to do.

    Attributes:
        method: In capitals.
        path: Below the API's root, with its parameters in braces, as the provider's description has it.
        answer: What the client reads of the answer.
        body: The model of what is sent; None where nothing is.
        status: Of an answer that says yes.
        harmless: Whether to do it twice does no more than to do it once. Where the answer to such a call is lost the
            error is `Unavailable`, and otherwise `OutcomeUnknown`. None: as its method says, so that only reading is.
    """

    method: Method
    path: str
    answer: TypeAdapter[Answer]
    body: type[BaseModel] | None = None
    status: int = 200
    harmless: bool | None = None

    @property
    def repeatable(self) -> bool:
        """Whether a call whose answer was lost can be made again without a look."""
        return self.method in _READS if self.harmless is None else self.harmless

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in its path."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def name(self) -> str:
        """`GET /redis/database/{id}`: one of a closed set, as spans and tests name it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One call.

    Attributes:
        operation: Which one.
        what: What is asked for, as an error names it: `the database 'shop-cache'`.
        path: Values for the path's parameters; they are quoted.
        query: What stands behind the question mark.
        body: What is sent, of the operation's model.
        missing: What a 404 says; made of `what` when empty.
    """

    operation: Operation[Answer]
    what: str
    path: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: BaseModel | None = None
    missing: str = ""

    def __post_init__(self) -> None:
        """Refuse what does not fit the operation: a mistake of the caller's.

        Raises:
            ValueError: The path's values or the body are not the operation's.
        """
        if set(self.path) != set(self.operation.parameters):
            raise ValueError(f"{self.operation.name} takes {self.operation.parameters}, and not {tuple(self.path)}")
        wanted = self.operation.body
        if (wanted is None) is not (self.body is None) or (wanted is not None and not isinstance(self.body, wanted)):
            raise ValueError(f"{self.operation.name} is not sent a {type(self.body).__name__}")

    @property
    def url(self) -> str:
        """The path with its values."""
        return _PARAMETER.sub(lambda found: quote(self.path[found[1]], safe=""), self.operation.path)

    @property
    def content(self) -> bytes | None:
        """The body as JSON, without what is None."""
        return self.body.model_dump_json(by_alias=True, exclude_none=True).encode() if self.body is not None else None
