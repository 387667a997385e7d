"""What a goal's result says: its steps, what it used of language models, and what it leaves to take."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from hitl.console.goals.timeline import ResultWithSteps, ToldSteps
from workflows.catalogue import find_goal
from workflows.kept import KeptArtifact, kept_in

Model = TypeVar("Model", bound=BaseModel)


class Used(BaseModel):
    """What a goal used of language models, by its own count.

    Attributes:
        cost_micros: Millionths of a US dollar that it has cost at most.
        input_tokens: As the backends counted; None where the goal does not tell.
        turns: How often a model answered; None where the goal does not tell.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    requests: int
    cost_micros: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    turns: int | None = None
    backend: str | None = None
    model: str | None = None

    @property
    def dollars(self) -> str:
        """The cost, to the hundredth of a cent."""
        return f"${self.cost_micros / 1_000_000:,.4f}"


@dataclass(frozen=True, kw_only=True)
class Told:
    """All of that.

    Attributes:
        used: None where it asked no model.
        kept: By the fields that the goal's result declares, and by nothing else in it.
    """

    steps: ToldSteps | None = None
    used: Used | None = None
    kept: tuple[KeptArtifact, ...] = ()


def told_by(goal: str, result: dict[str, JsonValue]) -> Told:
    """What the result of a goal of that name says, whatever release wrote it."""
    declared = find_goal(goal)
    whole = _read(declared.result, result) if declared is not None else None
    used = _read(Used, result)
    return Told(
        steps=_read(ResultWithSteps, result),
        used=used if used is not None and used.requests else None,
        kept=kept_in(whole) if whole is not None else (),
    )


def _read(model: type[Model], told: dict[str, JsonValue]) -> Model | None:
    try:
        return model.model_validate(told)
    except ValidationError:
        return None
