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
class Shape:
    """How the result of a goal follows from its input.

    Attributes:
        by: The inputs that it follows from: a plan says them as literals, so that a checker knows the result's type.
        of: JSON Schema of the result; None where these inputs are no good.
    """

    by: frozenset[str]
    of: Callable[[Mapping[str, JsonValue]], Schema | None]


PRIVATE: Final = ("private",)


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
        data: Labels of what its result holds.
        shape: Where its result depends on its input.
    """

    name: str
    effect: Effect
    input: Schema
    result: Schema
    problems: Callable[[Mapping[str, JsonValue], Collection[Path]], tuple[Problem, ...]]
    why_not: str = ""
    data: tuple[str, ...] = PRIVATE
    shape: Shape | None = None

    @property
    def takes(self) -> Typed:
        """The type of its input."""
        return Typed(self.input, self.input)

    @property
    def gives(self) -> Typed:
        """The type of its result."""
        return Typed(self.result, self.result)

    def gives_for(self, inputs: Mapping[str, JsonValue]) -> Typed:
        """The type of its result for these inputs."""
        schema = self.shape.of(inputs) if self.shape is not None else None
        return self.gives if schema is None else Typed(schema, schema)


Catalogue = Mapping[str, GoalDescription]
"""Goals by their names."""


def strongest(effects: Collection[Effect]) -> Effect:
    """Of several; `read` of none."""
    return max(effects, key=EFFECTS.index, default=Effect.READ)
