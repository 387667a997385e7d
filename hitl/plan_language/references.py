"""References in inputs: where they stand, and what they come to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from pydantic import JsonValue

from hitl.plan_language.catalogue import Path
from hitl.plan_language.language import FROM, ITEM, GoalStep

_DEEPEST: Final = 40


class Unresolved(ValueError):
    """A reference has no value. The message says why."""


class TooDeep(ValueError):
    """An input is nested too deeply to be looked at."""


@dataclass(frozen=True)
class Named:
    """A reference where it stands in an input."""

    path: Path
    source: str


def is_reference(value: JsonValue) -> TypeGuard[dict[str, JsonValue]]:
    """Whether a value is meant as a reference."""
    return isinstance(value, dict) and FROM in value


def walk(value: JsonValue, path: Path = ()) -> Iterator[tuple[Path, JsonValue]]:
    """Every reference below a value, and every other value that holds none; each with its place.

    Raises:
        TooDeep: It is nested too deeply.
    """
    if len(path) > _DEEPEST:
        raise TooDeep(f"it is nested deeper than {_DEEPEST} levels; write it flatter")
    if is_reference(value) or not isinstance(value, dict | list) or not value:
        if path or value != {}:
            yield path, value
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, one in inner:
        yield from walk(one, (*path, name))


def named_in(inputs: Mapping[str, JsonValue]) -> tuple[Named, ...]:
    """The references of an input; what is meant as one and is none has no source."""
    return tuple(
        Named(path, str(value[FROM]) if len(value) == 1 and isinstance(value[FROM], str) else "")
        for path, value in walk(dict(inputs))
        if is_reference(value)
    )


def sources_of(step: GoalStep) -> tuple[str, ...]:
    """All that a step refers to."""
    inputs = (one.source for one in named_in(step.inputs))
    when = (step.when.source,) if step.when else ()
    return (*(one for one in inputs if one), *when, *((step.for_each.source,) if step.for_each else ()))


def look_up(source: str, known: Mapping[str, JsonValue]) -> JsonValue:
    """What a reference comes to.

    Args:
        source: As in `motto.files.0.path`.
        known: Results by the ids of steps; of one with a `for_each` the list of them. `item` is the one at hand.

    Raises:
        Unresolved: There is no such value.
    """
    name, *path = source.split(".")
    if name not in known:
        raise Unresolved(f"{name!r} has no result")
    found = known[name]
    for done, part in enumerate(path):
        place = ".".join([name, *path[:done]])
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, list) and part.isdecimal():
            raise Unresolved(f"{place!r} holds {len(found)}, and none at {part}")
        else:
            raise Unresolved(f"{place!r} has no {part!r}")
    return found


def resolved(value: JsonValue, known: Mapping[str, JsonValue]) -> JsonValue:
    """The same without a reference.

    Raises:
        Unresolved: One has no value.
    """
    if is_reference(value):
        return look_up(str(value[FROM]), known)
    if isinstance(value, dict):
        return {name: resolved(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [resolved(one, known) for one in value]
    return value


def fields_needed(steps: Sequence[GoalStep]) -> dict[str, tuple[str, ...]]:
    """By step the fields of its result that others refer to; one that is wanted whole has `*`.

    What of an item is wanted cannot be told from its name: the list that it is of is wanted.
    """
    needed: dict[str, set[str]] = {}
    for step in steps:
        for source in sources_of(step):
            name, *path = source.split(".")
            if name == ITEM:
                continue
            inner = [part for part in path if not part.isdecimal()]
            needed.setdefault(name, set()).add(inner[0] if inner else "*")
    return {name: tuple(sorted(fields)) for name, fields in sorted(needed.items())}
