"""The planning set: what people may ask, and what is to come of it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from hitl.plan_language.language import PLAN_SCHEMA, PLAN_VERSION
from hitl.protocol import Effect

SET: Final = Path(__file__).with_name("set.yaml")
REPOSITORIES: Final = ("acme/shop", "acme/site", "acme/infra")
"""The closed list that a model is told beside each sentence: always the same, whatever the deployment has."""
STACKS: Final = ("infra-trial", "infra-live")
"""Likewise: what `banksman.yaml` of acme/infra names."""

Kind = Literal["plan", "question", "refusal"]


class Guess(BaseModel):
    """One step that nobody asked for so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str
    inputs: dict[str, JsonValue]


class Sentence(BaseModel):
    """One sentence, and what is to come of it.

    Attributes:
        ask: The words.
        act: Steps of the plan that is expected.
        explore: Likewise, of its first part.
        effect: The strongest of that plan.
        question: What a good planner asks back, where something is missing.
        refusal: Why a good planner refuses, where no goal does it.
        guess: What a model writes that does not ask.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str
    act: tuple[dict[str, JsonValue], ...] = ()
    explore: tuple[dict[str, JsonValue], ...] = ()
    effect: Effect | None = None
    question: str | None = None
    refusal: str | None = None
    guess: Guess | None = None

    @property
    def kind(self) -> Kind:
        """What is to come of it."""
        return "plan" if self.act else "question" if self.question else "refusal"

    @property
    def plan(self) -> dict[str, JsonValue]:
        """The plan that is expected."""
        return plan_of(self.act, self.explore)


_SENTENCES: Final[TypeAdapter[tuple[Sentence, ...]]] = TypeAdapter(tuple[Sentence, ...])


def plan_of(act: Sequence[Any], explore: Sequence[Any] = ()) -> dict[str, JsonValue]:
    """A plan of these steps."""
    head: dict[str, JsonValue] = {"schema": PLAN_SCHEMA, "version": PLAN_VERSION, "title": "What was asked"}
    return {**head, "explore": list(explore), "act": list(act)}


def load_set() -> tuple[Sentence, ...]:
    """All of it, in the order of the file."""
    return _SENTENCES.validate_python(yaml.safe_load(SET.read_text(encoding="utf-8")))


def set_digest() -> str:
    """`sha256:…` of the file: figures of two sets are not to be compared."""
    return f"sha256:{hashlib.sha256(SET.read_bytes()).hexdigest()}"


def spread(sentences: Sequence[Sentence], most: int) -> tuple[int, ...]:
    """The numbers of at most so many, evenly spread over the set: what reads, destroys and is refused lies apart.

    Args:
        sentences: All.
        most: At least 1.
    """
    count = len(sentences)
    most = min(most, count)
    return tuple(count * one // most for one in range(most))
