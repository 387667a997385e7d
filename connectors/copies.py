"""What is copied of a provider for a rehearsal: one document for each, without secrets, that its twin is made of.

A copy is a stranger's word: names in it were chosen by whoever may write at the provider. It is read by its model, and
only as the copy of the provider that it says it is of.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, model_validator

from observability.redaction import is_secret_name, redact

DESCRIBED: Final = "described.json"
"""The document's name, in a folder of the provider's name."""
NOT_COPIED: Final = "not-copied"
"""What stands where a secret stood."""


_ENCRYPTED: Final = "ENC["
"""What Estuary's own service has encrypted: nobody else reads it, and a flow is known by it."""


class CopyUnusable(ValueError):
    """What lies there as a copy is none, or of something else."""


class CopiedState(BaseModel, ABC):
    """The copy of one provider.

    Attributes:
        provider: Whose models these are.
        of: The provider that it was copied of.
        part: What of it: a project, a cluster, a prefix; empty for all of the account.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: ClassVar[str]

    of: str
    part: str = ""

    @model_validator(mode="after")
    def _of_this_provider(self) -> Self:
        if self.of != self.provider:
            raise ValueError(f"is a copy of {self.of!r}, and not of {self.provider!r}")
        return self

    @abstractmethod
    def told(self) -> str:
        """What was copied and how it stood, for people, without any name that somebody chose."""

    def document(self) -> bytes:
        """The document. What is a secret by its name, by its shape, or known to this process stands in none."""
        return redacted(self).model_dump_json(by_alias=False).encode()


State = TypeVar("State", bound=CopiedState)


def redacted(copied: State) -> State:
    """The same without what looks like a secret. No copy is meant to have one: this is for what people put elsewhere.

    Raises:
        ValueError: Without it, it is no copy any more.
    """
    return type(copied).model_validate(_without_secrets(copied.model_dump(mode="json"), ""))


def read_copy(folder: Path, model: type[State]) -> State | None:
    """The copy of one provider; None where nothing of it was copied.

    Args:
        folder: Of all copies.
        model: Its own.

    Raises:
        CopyUnusable: It is no such copy.
    """
    file = folder / model.provider / DESCRIBED
    return _read(file, model) if file.exists() else None


def read_copies(folder: Path, model: type[State]) -> tuple[State, ...]:
    """The copies of one provider of which several parts can be copied, the first one first.

    Args:
        folder: Of all copies.
        model: Its own.

    Raises:
        CopyUnusable: One is no such copy.
    """
    return tuple(_read(file, model) for file in sorted((folder / model.provider).glob("described*.json"), key=_place))


def described(number: int) -> str:
    """The name of the document of one part, counted from 0."""
    return DESCRIBED if number == 0 else f"described-{number}.json"


def _place(file: Path) -> int:
    return int(file.stem.partition("-")[2] or 0)


def _read(file: Path, model: type[State]) -> State:
    try:
        return model.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = ".".join(map(str, first["loc"])) or "it"
        raise CopyUnusable(f"the copy of {model.provider!r} cannot be used: {at}: {first['msg']}") from None


def _without_secrets(value: JsonValue, name: str) -> JsonValue:
    match value:
        case dict():
            return {redact.text(key): _without_secrets(inner, key) for key, inner in value.items()}
        case list():
            return [_without_secrets(inner, name) for inner in cast("list[JsonValue]", value)]
        case str():
            secret = bool(value) and is_secret_name(name) and not value.startswith(_ENCRYPTED)
            return NOT_COPIED if secret or redact.text(value) != value else value
        case _:
            return value
