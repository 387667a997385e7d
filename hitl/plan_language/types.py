"""What a value may be, as far as a goal's JSON Schema says: enough to tell whether a reference can fit, and its fields.

Whether a value does fit is told by the goal itself, when it is known. pydantic's `$ref`, `anyOf`, `enum` and `const`
are followed; what a schema does not say may be anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue

Schema = Mapping[str, JsonValue]
_EVERY: Final = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
_DEEPEST: Final = 12


@dataclass(frozen=True)
class Typed:
    """A type within a schema.

    Attributes:
        schema: Its own.
        root: The whole, in which `$ref` is looked up.
    """

    schema: Schema
    root: Schema

    def marked(self, name: str) -> str | None:
        """What an annotation of this name says, on the field itself or on its type."""
        for one in (self.schema, *(each.schema for each in self.alternatives())):
            said = one.get(name)
            if isinstance(said, str):
                return said
        return None

    def alternatives(self) -> tuple[Typed, ...]:
        """The types that it may be, none of them a choice itself."""
        return tuple(_alternatives(self, _DEEPEST))

    def kinds(self) -> frozenset[str]:
        """JSON types of one alternative."""
        said = self.schema.get("type")
        if isinstance(said, str):
            return frozenset({said})
        if isinstance(said, list):
            return frozenset(str(one) for one in said)
        values = self.listed()
        return _EVERY if values is None else frozenset(kind_of(one) for one in values)

    def listed(self) -> Sequence[JsonValue] | None:
        """The values that one alternative may have, where they are listed."""
        if "const" in self.schema:
            return [self.schema["const"]]
        values = self.schema.get("enum")
        return values if isinstance(values, list) else None

    def fields(self) -> frozenset[str]:
        """The names that are declared."""
        return frozenset(name for one in self.alternatives() for name in one.properties())

    def properties(self) -> Schema:
        """The fields of one alternative."""
        found = self.schema.get("properties")
        return found if isinstance(found, dict) else {}

    def below(self, name: str) -> Typed | None:
        """The type of a declared field, or of a list's item; None where there is no such thing."""
        for one in self.alternatives():
            inner = one.schema.get("items") if name.isdecimal() else one.properties().get(name)
            if isinstance(inner, dict):
                return Typed(inner, self.root)
        return None

    def is_open(self) -> bool:
        """Whether there may be fields that are not declared."""
        return any(
            "object" in one.kinds() and not one.properties() and one.schema.get("additionalProperties") is not False
            for one in self.alternatives()
        )

    def item(self) -> Typed | None:
        """The type of a list's item; None where it is no list."""
        for one in self.alternatives():
            if "array" in one.kinds():
                inner = one.schema.get("items")
                return Typed(inner if isinstance(inner, dict) else {}, self.root)
        return None

    def said(self) -> str:
        """For people."""
        kinds = frozenset(kind for one in self.alternatives() for kind in one.kinds())
        return "anything" if kinds >= _EVERY else " or ".join(sorted(kinds))


ANYTHING: Final = Typed({}, {})
_KINDS: Final = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def _alternatives(typed: Typed, deep: int) -> Iterator[Typed]:
    reference, many = typed.schema.get("$ref"), typed.schema.get("anyOf") or typed.schema.get("oneOf")
    if deep and isinstance(reference, str):
        yield from _alternatives(Typed(_looked_up(reference, typed.root), typed.root), deep - 1)
    elif deep and isinstance(many, list):
        for one in many:
            if isinstance(one, dict):
                yield from _alternatives(Typed(one, typed.root), deep - 1)
    else:
        yield typed


def _looked_up(reference: str, root: Schema) -> Schema:
    found: JsonValue = cast("dict[str, JsonValue]", root)
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def kind_of(value: JsonValue) -> str:
    """The JSON type of a value."""
    return _KINDS[type(value)]


def may_fit(given: Typed, wanted: Typed, *, deep: int = _DEEPEST) -> bool:
    """Whether some value of the one type, besides null, is one of the other."""
    return any(
        _pair_fits(one, other, deep)
        for one in given.alternatives()
        for other in wanted.alternatives()
        if one.kinds() - {"null"}
    )


def _pair_fits(given: Typed, wanted: Typed, deep: int) -> bool:
    kinds, others = given.kinds(), wanted.kinds()
    common = kinds & others
    if "integer" in kinds and "number" in others:
        common |= {"integer"}
    if not common - {"null"}:
        return False
    values, allowed = given.listed(), wanted.listed()
    if values is not None and allowed is not None:
        return any(one in allowed for one in values)
    item, inner = given.item(), wanted.item()
    if common <= {"array", "null"} and item is not None and inner is not None and deep:
        return may_fit(item, inner, deep=deep - 1)
    return True
