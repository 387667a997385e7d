"""Whether two plans do the same: their goals, their order, and all that says what is touched."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import JsonValue

from hitl.canonical import canonical_json
from hitl.plan_language.catalogue import Catalogue, GoalDescription
from hitl.plan_language.checker import type_at
from hitl.plan_language.labels import position_of
from hitl.plan_language.language import FROM, read_plan
from hitl.plan_language.references import is_reference, walk

_ANY_TEXT: Final = "(a text)"

Plan = Mapping[str, JsonValue]


def goals_of(plan: Plan) -> tuple[str, ...]:
    """The goals of its steps, in their order."""
    return tuple(one.step.goal for one in read_plan(dict(plan)).steps)


def same_plan(one: Plan, other: Plan, catalogue: Catalogue) -> bool:
    """Whether they come to the same.

    Titles, texts that people read and the ids of steps are a model's own; a value that is the default is the same as
    none. Everything else has to be equal.
    """
    return _comparable(one, catalogue) == _comparable(other, catalogue)


def _comparable(plan: Plan, catalogue: Catalogue) -> list[Any]:
    steps = read_plan(dict(plan)).steps
    numbers = {placed.step.id: f"#{number}" for number, placed in enumerate(steps)}
    found: list[Any] = []
    for placed in steps:
        step = placed.step
        when = (_source(step.when.source, numbers), step.when.comparison, step.when.to) if step.when else None
        each = _source(step.for_each.source, numbers) if step.for_each else None
        inputs = sorted(_inputs(step.inputs, catalogue.get(step.goal), numbers))
        found.append((placed.part, step.goal, inputs, when, each))
    return found


def _inputs(
    inputs: Mapping[str, JsonValue], goal: GoalDescription | None, numbers: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for path, value in walk(dict(inputs)):
        at = canonical_json(list(path))
        if is_reference(value):
            yield at, f"{FROM} {_source(str(value[FROM]), numbers)}"
            continue
        wanted = type_at(goal.takes, path) if goal is not None else None
        if value is None or (wanted is not None and wanted.schema.get("default", _ANY_TEXT) == value):
            continue
        is_text = goal is not None and isinstance(value, str) and not position_of(goal.takes, path)[1]
        yield at, _ANY_TEXT if is_text else canonical_json(value)


def _source(source: str, numbers: Mapping[str, str]) -> str:
    name, *path = source.split(".")
    return ".".join([numbers.get(name, name), *path])
