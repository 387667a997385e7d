"""The form in which a model answers that reads what strangers wrote: fields that were declared before it read.

A small part of JSON Schema, and each field has its label. A text is a stranger's, and so is a number without bounds.
What was said beforehand leaves a stranger no more than a choice that somebody allowed: one of these values, yes or no,
a number between two. That is closed. Any answer may be null: the text does not say.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from hitl.hidden import nothing_hidden
from hitl.plan_language.labels import POSITION, TRUST, hides
from hitl.plan_language.mistakes import Mistake, meant, pointer, quoted

MOST_FIELDS: Final = 20
MOST_TEXT: Final = 8_000
"""Characters that all texts of one answer may have."""
MOST_NUMBER: Final = 2**53
_USUAL_TEXT: Final = 200
_OF_KIND: Final = {
    "longest": ("text",),
    "copied": ("text",),
    "choices": ("choice",),
    "at_least": ("integer", "number"),
    "at_most": ("integer", "number"),
}

Answer = bool | int | float | str | None
Kind = Literal["text", "integer", "number", "boolean", "choice"]
Choice = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(nothing_hidden)]
Limit = Annotated[int, Field(ge=-MOST_NUMBER, le=MOST_NUMBER)]


class AnswerField(BaseModel):
    """One field of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = Field(
        description="As references call it.", json_schema_extra={POSITION: "text"}
    )
    kind: Kind
    asks: Annotated[str, StringConstraints(max_length=300), AfterValidator(nothing_hidden)] = Field(
        default="",
        description="What is to stand there, where its name does not say it.",
        json_schema_extra={POSITION: "text"},
    )
    longest: int = Field(default=_USUAL_TEXT, ge=1, le=4_000, description="Characters of a `text`, on one line.")
    copied: bool = Field(
        default=False, description="A `text` that has to stand in what is read, letter by letter: a version, a name."
    )
    choices: tuple[Choice, ...] = Field(default=(), max_length=50, description="All that a `choice` may be.")
    at_least: Limit | None = Field(default=None, description="Of a number. With both bounds it is a closed value.")
    at_most: Limit | None = Field(default=None, description="Of a number.")

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        for name, kinds in _OF_KIND.items():
            # Travelling, it is written with its defaults.
            if self.kind not in kinds and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name!r} is for a field of kind {' or '.join(kinds)}; leave it out")
        if self.kind == "choice" and not self.choices:
            raise ValueError("a choice needs 'choices': write the values that it may have")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("'at_least' is more than 'at_most': no number is between them")
        return self

    def schema_of_answer(self) -> dict[str, JsonValue]:
        """JSON Schema of what is answered, as a backend can enforce it."""
        match self.kind:
            case "text":
                return {"type": ["string", "null"], "maxLength": self.longest}
            case "integer" | "number":
                bounds = {"minimum": self.at_least, "maximum": self.at_most}
                return {"type": [self.kind, "null"], **{name: one for name, one in bounds.items() if one is not None}}
            case "boolean":
                return {"type": ["boolean", "null"]}
            case "choice":
                return {"type": ["string", "null"], "enum": [*self.choices, None]}

    def labelled(self) -> dict[str, JsonValue]:
        """JSON Schema of the same as a result of a step: a checker of plans reads the label from it."""
        if self.kind == "choice":
            return {"enum": [*self.choices, None]}
        given: JsonValue = {"type": "string" if self.kind == "text" else self.kind}
        either: dict[str, JsonValue] = {"anyOf": [given, {"type": "null"}]}
        return either if self.is_closed else {**either, TRUST: "untrusted"}

    @property
    def is_closed(self) -> bool:
        """Whether all that it may be was said before anything was read."""
        match self.kind:
            case "choice" | "boolean":
                return True
            case "integer" | "number":
                return self.at_least is not None and self.at_most is not None
            case "text":
                return False


Fields = Annotated[tuple[AnswerField, ...], Field(min_length=1, max_length=MOST_FIELDS)]


def require_consistent(fields: Sequence[AnswerField]) -> None:
    """Refuse what is no form.

    Raises:
        ValueError: Two fields have one name, or their texts are too long together.
    """
    names = [one.name for one in fields]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise ValueError(f"{quoted(twice[0])} is there twice; give each field a name of its own")
    if (length := most_text(fields)) > MOST_TEXT:
        raise ValueError(
            f"its texts may be {length} characters long together, and {MOST_TEXT} is the most: ask for less"
        )


def most_text(fields: Sequence[AnswerField]) -> int:
    """Characters that the texts of an answer may have together."""
    return sum(one.longest for one in fields if one.kind == "text")


def schema_of(fields: Sequence[AnswerField]) -> dict[str, JsonValue]:
    """JSON Schema of a whole answer: every field, and no other."""
    return {
        "type": "object",
        "properties": {one.name: one.schema_of_answer() for one in fields},
        "required": [one.name for one in fields],
        "additionalProperties": False,
    }


def mistakes_of(answer: JsonValue, fields: Sequence[AnswerField], text: str) -> tuple[Mistake, ...]:
    """Everything in which an answer is not of the form.

    Args:
        answer: As it was said.
        fields: What was asked for.
        text: What was read.
    """
    names = [one.name for one in fields]
    if not isinstance(answer, dict):
        return (Mistake(at="", says=f"it is no object; answer with one JSON object of {', '.join(names)}"),)
    missing = [Mistake(at=pointer(one), says="it is missing; write null where the text does not say") for one in names]
    found = [one for name, one in zip(names, missing, strict=True) if name not in answer]
    found += [
        Mistake(at=pointer(name), says=f"there is no field {quoted(name)}; {meant(name, names)}")
        for name in sorted(answer.keys() - set(names))
    ]
    for one in fields:
        found += [Mistake(at=pointer(one.name), says=says) for says in _wrong(one, answer.get(one.name), text)]
    return tuple(found)


def _wrong(field: AnswerField, value: JsonValue, text: str) -> Iterator[str]:
    if value is None:
        return
    match field.kind:
        case "text":
            yield from _wrong_text(field, value, text)
        case "boolean":
            if not isinstance(value, bool):
                yield "it is neither true nor false"
        case "choice":
            if value not in field.choices:
                yield f"it is none of {', '.join(map(quoted, field.choices))}; write one of them, or null"
        case "integer" | "number":
            yield from _wrong_number(field, value)


def _wrong_text(field: AnswerField, value: JsonValue, text: str) -> Iterator[str]:
    if not isinstance(value, str) or not value:
        yield "it is no text; write one line, or null"
    elif len(value) > field.longest:
        yield f"it is {len(value)} characters long, and {field.longest} is the most: write less"
    elif (hidden := hides(value)) is not None:
        yield f"it {hidden}; write one line of what is seen"
    elif field.copied and value not in text:
        yield "it does not stand in the text; copy it letter by letter, or write null"


def _wrong_number(field: AnswerField, value: JsonValue) -> Iterator[str]:
    whole = field.kind == "integer"
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and not isinstance(value, int)):
        yield f"it is no {'whole number' if whole else 'number'}; write one, or null"
        return
    if not abs(value) <= MOST_NUMBER:  # what is no number is not less either
        yield "no such number can be written down; write a smaller one, or null"
    elif field.at_least is not None and value < field.at_least:
        yield f"it is less than {field.at_least}; write null where the text says no other"
    elif field.at_most is not None and value > field.at_most:
        yield f"it is more than {field.at_most}; write null where the text says no other"
