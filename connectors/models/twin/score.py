r"""The score: what a scripted model says, and when.

    cues:
      - when: {by: user, last: 'read (?P<path>\S+)'}
        call: [{tool: read_file, arguments: {path: "${path}"}}]
      - when: {by: tool}
        answer: {title: Shop}
      - when: {turn: 1}
        times: 1
        say: wait
        fault: {kind: slow, seconds: 3}

The first cue that fits and has not been used up is played. What a group of `first` or `last` found may stand as
`${name}` in what is said, in arguments and in an answer.
"""

import re
from string import Template
from typing import Annotated, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from connectors.models.twin.conversation import Asked, Role, WireName
from connectors.models.twin.faults import BrokenArguments, Fault, Refusing
from hitl.policy.yaml import YamlError, read_document

Read = TypeVar("Read")


class ScoreError(Exception):
    """A score that cannot be played. The message has a line for each mistake."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class When(_Part):
    """Which requests; all that is left out fits any."""

    turn: int | None = Field(default=None, ge=1, description="Which answer of the conversation, counted from 1.")
    by: Role | None = Field(default=None, description="Who spoke last.")
    last: str = Field(default="", description="A regular expression that what was said last must contain.")
    first: str = Field(default="", description="One that what the user said first must contain.")
    system: str = Field(default="", description="One that what the system says must contain.")
    model: str = Field(default="", description="One that the model's id must contain.")
    wire: WireName | None = None
    tools: tuple[str, ...] = Field(default=(), description="Tools that must be offered.")

    @field_validator("last", "first", "system", "model")
    @classmethod
    def _compiles(cls, given: str) -> str:
        try:
            re.compile(given)
        except re.error as error:
            raise ValueError(f"{given!r} is not a regular expression: {error}") from error
        return given

    def fits(self, asked: Asked) -> dict[str, str] | None:
        """What the named groups of `first` and `last` found; None where it does not fit."""
        first, last = re.search(self.first, asked.first), re.search(self.last, asked.last)
        if first is None or last is None:
            return None
        fits = (
            self.turn in {None, asked.turn}
            and self.by in {None, asked.by}
            and self.wire in {None, asked.wire}
            and re.search(self.system, asked.system) is not None
            and re.search(self.model, asked.model) is not None
            and {*self.tools} <= {one.name for one in asked.tools}
        )
        found = {**first.groupdict(), **last.groupdict()}
        return {name: value or "" for name, value in found.items()} if fits else None


class ScriptedCall(_Part):
    """One call."""

    tool: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class Cue(_Part):
    """When, and what then: words, calls, or an answer that fits the asked schema."""

    when: When = When()
    times: int | None = Field(default=None, ge=1, description="For how many requests; None: for all.")
    say: str = ""
    call: tuple[ScriptedCall, ...] = ()
    answer: JsonValue = Field(default=None, description="As JSON where a schema is asked; else as a call of `through`.")
    through: str = Field(default="final_result", description="The tool by which an answer is given without a schema.")
    fault: Fault | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Cue":
        plays = bool(self.say or self.call or self.answer is not None)
        if isinstance(self.fault, Refusing) == plays:
            raise ValueError("a cue says, calls or answers something, unless its fault refuses the request")
        if self.answer is not None and (self.say or self.call):
            raise ValueError("an answer stands alone: put words and calls into a cue of their own")
        if isinstance(self.fault, BrokenArguments) and not self.call:
            raise ValueError("broken_arguments needs a call whose arguments break")
        return self


class Score(_Part):
    """All cues, in the order in which they are tried."""

    cues: tuple[Cue, ...] = ()


def read_score(text: str | bytes) -> Score:
    """A score from YAML, of which JSON is a part.

    Raises:
        ScoreError: It is none.
    """
    return _read(TypeAdapter(Score), text)


def read_cues(text: str | bytes) -> tuple[Cue, ...]:
    """One cue or a list of them, from YAML.

    Raises:
        ScoreError: They are none.
    """
    return _read(TypeAdapter(Annotated[tuple[Cue, ...], BeforeValidator(_listed)]), text)


def _listed(given: object) -> object:
    return cast("list[object]", given) if isinstance(given, list) else [given]


def _read(adapter: TypeAdapter[Read], text: str | bytes) -> Read:
    try:
        document = read_document(text)
    except YamlError as error:
        raise ScoreError(f"line {error.line}: {error.message}") from error
    if document.problems:
        raise ScoreError("\n".join(f"line {one.line}: {one.message}" for one in document.problems))
    try:
        return adapter.validate_python(document.value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        lines = [f"line {document.line(one['loc'])}: {_path(one['loc'])}{one['msg']}" for one in found]
        raise ScoreError("\n".join(lines)) from error


def _path(place: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, place))}: " if place else ""


def filled(value: JsonValue, found: dict[str, str]) -> JsonValue:
    """A value with what was found in the place of each `${name}`."""
    match value:
        case str():
            return Template(value).safe_substitute(found)
        case list():
            return [filled(one, found) for one in value]
        case dict():
            return {name: filled(one, found) for name, one in value.items()}
        case _:
            return value
