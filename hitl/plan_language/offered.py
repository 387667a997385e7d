"""The catalogue as a planner is told it: each goal with its effect, its inputs, and what it gives to refer to."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from hitl.plan_language.catalogue import Catalogue, GoalDescription
from hitl.plan_language.grounds import NOT_A_MODELS
from hitl.plan_language.types import Schema, Typed
from hitl.protocol import Effect

_SAYS_NOTHING: Final = frozenset({"title", "x-banksman-trust", "x-banksman-position"})
_DEEPEST: Final = 3
_REFERENCE: Final = "#/$defs/"


def offered(catalogue: Catalogue) -> list[JsonValue]:
    """Every goal that can be a step of a plan, by name."""
    return [_told(catalogue[name]) for name in sorted(catalogue) if not catalogue[name].why_not]


def _told(goal: GoalDescription) -> JsonValue:
    schema = _input(goal.input)
    told: dict[str, JsonValue] = {
        "goal": goal.name,
        "effect": goal.effect.value,
        "does": schema.pop("description", ""),
        "inputs": schema,
    }
    # Only what explores can be referred to, and that only reads.
    return {**told, "gives": _fields(goal.gives, _DEEPEST)} if goal.effect is Effect.READ else told


def _input(schema: Schema) -> dict[str, JsonValue]:
    kept = _plain(dict(schema))
    properties = kept.get("properties")
    if isinstance(properties, dict):
        kept["properties"] = {name: one for name, one in properties.items() if name not in NOT_A_MODELS}
    kept.pop("$defs", None)
    defined = schema.get("$defs")
    if isinstance(defined, dict) and (needed := _needed(kept, defined)):
        kept["$defs"] = {name: _cleaned(defined[name]) for name in needed}
    return kept


def _plain(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        name: _named(one) if name in {"properties", "$defs"} else _cleaned(one)
        for name, one in schema.items()
        if name not in _SAYS_NOTHING and not (name == "default" and one is None)
    }


def _named(value: JsonValue) -> JsonValue:
    """Names of fields are no words of a schema's: one may be called `title`."""
    return {name: _cleaned(one) for name, one in value.items()} if isinstance(value, dict) else value


def _cleaned(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return _plain(value)
    return [_cleaned(one) for one in value] if isinstance(value, list) else value


def _needed(kept: JsonValue, defined: Mapping[str, JsonValue]) -> list[str]:
    """What is referred to, whatever is in between."""
    found, open_ones = dict[str, None](), [kept]
    while open_ones:
        for name in _references(open_ones.pop()):
            if name in defined and name not in found:
                found[name] = None
                open_ones.append(defined[name])
    return sorted(found)


def _references(value: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [name for one in value for name in _references(one)]
    if not isinstance(value, dict):
        return []
    own = value.get("$ref")
    below = [name for one in value.values() for name in _references(one)]
    return [own.removeprefix(_REFERENCE), *below] if isinstance(own, str) else below


def _fields(given: Typed, deep: int) -> JsonValue:
    """Names with their types: what a reference may end with."""
    if (item := given.item()) is not None and deep:
        return [_fields(item, deep - 1)]
    inner = {name: below for name in sorted(given.fields()) if (below := given.below(name)) is not None}
    if not inner or not deep:
        return given.said()
    return {name: _fields(one, deep - 1) for name, one in inner.items()}
