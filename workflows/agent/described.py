"""The catalogue's goals as the checker of plans knows them: derived from their declarations, like every other list."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from pydantic import JsonValue, ValidationError

from hitl.plan_language.catalogue import Catalogue, GoalDescription, Path, Problem
from workflows.catalogue import GOALS
from workflows.goal_type import GoalType

RUN_PLAN_NAME: Final = "RunPlan"
ASK_FOR_NAME: Final = "AskFor"
RUN_FLEET_NAME: Final = "RunFleet"
_NO_STEPS: Final[Mapping[str, str]] = {
    RUN_PLAN_NAME: "a plan runs no other plan; write the steps of that one into this one",
    RUN_FLEET_NAME: "a plan runs no fleet; name the repositories in a list, and have the step run for each",
    ASK_FOR_NAME: "a plan asks no model for another plan; write its steps into this one",
}


class _NotKnown:
    """Stands where a reference does: no type takes it, and what is said of it is left out."""


@cache
def described() -> Catalogue:
    """Every goal by its name."""
    return MappingProxyType({one.name: _described(one) for one in GOALS})


def _described(goal: GoalType) -> GoalDescription:
    def problems(inputs: Mapping[str, JsonValue], unknown: Collection[Path]) -> tuple[Problem, ...]:
        return tuple(_problems(goal, inputs, unknown))

    return GoalDescription(
        name=goal.name,
        effect=goal.effect,
        input=goal.input.model_json_schema(),
        result=goal.result.model_json_schema(mode="serialization"),
        problems=problems,
        why_not=_NO_STEPS.get(goal.name, ""),
        data=goal.data,
        shape=goal.shape,
    )


def _problems(goal: GoalType, inputs: Mapping[str, JsonValue], unknown: Collection[Path]) -> Iterator[Problem]:
    given: Any = dict(inputs)
    for path in unknown:
        given = _without(given, path)
    try:
        goal.input.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        deeper = [*unknown, *(one["loc"] for one in found if one["type"] != "too_short")]
        for one in found:
            path = one["loc"]
            # A list is said to be too short because of an item that is wrong, or is not known.
            of_item = one["type"] == "too_short" and any(of[: len(path)] == path for of in deeper)
            if not of_item and not any(path[: len(of)] == of for of in unknown):
                says = one["msg"].removeprefix("Value error, ")
                yield Problem(path=path, kind=one["type"], says=says[:1].lower() + says[1:])


def _without(value: Any, path: Path) -> Any:
    if not path:
        return _NotKnown()
    first, *rest = path
    if isinstance(value, list):
        return [_without(one, tuple(rest)) if number == first else one for number, one in enumerate(value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
    return {**value, first: _without(value[first], tuple(rest))}
