"""What people ask of a reader: a model without tools that is shown a stranger's text and answers in declared fields."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, TypeAdapter, ValidationError, model_validator

from activities.models.contracts import Labels
from hitl.canonical import canonical_json, tagged_digest
from hitl.hidden import nothing_hidden, visible
from hitl.plan_language.answer_form import Answer, AnswerField, Fields, require_consistent
from hitl.plan_language.catalogue import PRIVATE, Shape
from hitl.plan_language.labels import DATA, POSITION, TRUST
from hitl.plan_language.mistakes import Mistake
from hitl.plan_language.types import Schema
from hitl.protocol import Effect
from workflows.contracts import MAX_INLINE_BYTES, GoalInput, GoalResult
from workflows.goal_type import GoalType

_TAG: Final = "banksman-read-text/v1"
_SHORT: Final = 120
_FIELDS: Final[TypeAdapter[tuple[AnswerField, ...]]] = TypeAdapter(Fields)
_TEXT: Final[dict[str, JsonValue]] = {POSITION: "text"}


class ReadTextInput(GoalInput):
    """Have a model without tools read a text that nobody trusts, and answer in fields that you declare."""

    text: str = Field(
        max_length=MAX_INLINE_BYTES, description="What is read; in a plan a reference, as `file.content`."
    )
    question: Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(nothing_hidden)] = Field(
        description="What is asked of the text, in a line.", json_schema_extra=_TEXT
    )
    fields: Fields = Field(description="What is answered; a plan refers to it as `STEP.answers.NAME`.")
    labels: Labels = Field(
        default=PRIVATE,
        description="Which data the text is: no model is shown it to which one of these may not go. In a plan those of "
        "what it refers to are added.",
        json_schema_extra={DATA: "told"},
    )
    corrections: int = Field(
        default=2, ge=0, le=5, description="How often an answer with mistakes is given back to the model."
    )

    @model_validator(mode="after")
    def _is_a_form(self) -> Self:
        require_consistent(self.fields)
        return self

    def business_key(self) -> str:
        """`read-text/` and a digest of all that is asked, so that the same is asked for once at a time."""
        asked = self.model_dump(mode="json", include={"text", "question", "fields", "labels"})
        return f"read-text/{tagged_digest(_TAG, canonical_json(asked))[7:23]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Read {len(self.text)} characters: {visible(self.question)[:_SHORT]}"


class ReadTextResult(GoalResult):
    """What a model took out of the text: a stranger's word, whoever was asked."""

    answers: dict[str, Answer] = Field(
        default_factory=dict[str, Answer],
        description="By field; null where the text does not say.",
        json_schema_extra={TRUST: "untrusted"},
    )
    labels: tuple[str, ...] = Field(default=(), description="Which data they are: those of all that was read.")
    backend: str | None = Field(default=None, description="Who answered.")
    model: str | None = None
    prompt: str | None = Field(default=None, description="The digest of what stood above the question.")
    requests: int = Field(default=0, description="How often models were asked.")
    cost_micros: int = Field(default=0, description="Millionths of a US dollar that it has cost at most.")
    mistakes: tuple[Mistake, ...] = Field(default=(), description="Of the last answer, where it was not mended.")


_RESULT: Final[dict[str, Any]] = ReadTextResult.model_json_schema(mode="serialization")


def _shaped(inputs: Mapping[str, JsonValue]) -> Schema | None:
    """The result of these inputs: each answer with its type and its label."""
    try:
        fields = _FIELDS.validate_python(inputs.get("fields"))
        require_consistent(fields)
    except (ValidationError, ValueError):
        return None
    each: dict[str, JsonValue] = {one.name: one.labelled() for one in fields}
    answers: JsonValue = {"type": "object", "properties": each, TRUST: "untrusted"}
    return {**_RESULT, "properties": {**_RESULT["properties"], "answers": answers}}


READ_TEXT: Final = GoalType(
    name="ReadText",
    input=ReadTextInput,
    result=ReadTextResult,
    effect=Effect.READ,
    example=ReadTextInput(
        text="The shop is at version 2.4.1.",
        question="Which version is it?",
        fields=(AnswerField(name="version", kind="text", copied=True),),
        labels=("repository",),
    ),
    data=("repository",),
    shape=Shape(by=frozenset({"fields"}), of=_shaped),
)
