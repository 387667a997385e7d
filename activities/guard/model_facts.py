"""What the audit log keeps of a language model's answer: who was asked, what was counted, what it cost. No words."""

from typing import Annotated, Protocol, runtime_checkable

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)


class Tokens(BaseModel):
    """What a backend counted. Those of its cache are part of the input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: int
    output: int
    cached_input: int


class ModelFacts(BaseModel):
    """One answered request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Annotated[str, StringConstraints(max_length=100)]
    model: Annotated[str, StringConstraints(max_length=300)]
    ended: Annotated[str, StringConstraints(max_length=40)]
    tokens: Tokens | None = Field(description="As the backend counted; None where it did not.")
    cost_micros: int | None = Field(description="Millionths of a US dollar; None where nobody knows.")
    instructions: Annotated[str, StringConstraints(max_length=80)] | None = Field(
        default=None, description="The digest of what stood above the conversation: which prompt of ours it was."
    )

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without what came later where there is none: lines that were written before it came are spelled so."""
        return {name: value for name, value in handler(self).items() if name != "instructions" or value is not None}


@runtime_checkable
class HasModelFacts(Protocol):
    """An answer that a language model gave."""

    def model_facts(self) -> ModelFacts:
        """What to keep of it."""
        ...
