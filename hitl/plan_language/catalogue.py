"""What a checker knows of goals: plain data and one question, made elsewhere from where goals are declared."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from hitl.plan_language.types import Schema, Typed
from hitl.protocol import Effect

Path = tuple[str | int, ...]
EFFECTS: Final = tuple(Effect)
"""From the weakest to the strongest."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a goal finds wrong with its input.

    Attributes:
        path: Where in the input.
        kind: pydantic's word for it, as in `missing`.
        says: The sentence.
    """

    path: Path
    kind: str
    says: str


@dataclass(frozen=True, kw_only=True)
class GoalDescription:
    """One goal of the catalogue.

    Attributes:
        name: As it is typed.
        effect: The strongest of any of its steps.
        input: JSON Schema of its input.
        result: JSON Schema of its result.
        problems: What the goal itself finds wrong with an input, of which the values at some places are not known yet.
        why_not: Why no plan can have it as a step; empty where one can.
    """

    name: str
    effect: Effect
    input: Schema
    result: Schema
    problems: Callable[[Mapping[str, JsonValue], Collection[Path]], tuple[Problem, ...]]
    why_not: str = ""

    @property
    def takes(self) -> Typed:
        """The type of its input."""
        return Typed(self.input, self.input)

    @property
    def gives(self) -> Typed:
        """The type of its result."""
        return Typed(self.result, self.result)


Catalogue = Mapping[str, GoalDescription]
"""Goals by their names."""


def strongest(effects: Collection[Effect]) -> Effect:
    """Of several; `read` of none."""
    return max(effects, key=EFFECTS.index, default=Effect.READ)
