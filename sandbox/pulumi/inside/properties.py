"""Looks into values that a program or a policy pack has part in: for what is secret, and for what leads elsewhere."""

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

_SECRET: Final = ("4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270")
"""The key and the value that mark a secret among properties; `sdk/go/common/resource/properties.go`."""


def leaves_of_text(text: str) -> list[str]:
    """A configuration value, and the texts inside of it where it is an object or a list."""
    try:
        return [text, *_leaves(json.loads(text))]
    except ValueError:
        return [text]


def secrets_in(message: object) -> list[str]:
    """The texts that are marked as secret, wherever in a message's properties."""
    found: list[str] = []
    for fields in _objects(message):
        if fields.get(_SECRET[0]) == _SECRET[1]:
            found += _leaves(fields.get("value"))
    return found


def wrong_schema(properties: Mapping[str, object]) -> str:
    """What is wrong with the schema of a policy's configuration; empty: nothing.

    The engine would follow `$ref` to files and addresses, and it ends where a property is no schema.
    """
    if not all(isinstance(one, dict) for one in properties.values()):
        return "describes a property of its configuration by what is no schema: repair it"
    for schema in properties.values():
        for fields in _objects(schema):
            if name := next((name for name in fields if name.startswith("$")), ""):
                return f"has {name[:40]!r} in the schema of its configuration, which is not followed: write it out"
    return ""


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    """Every object in a value, itself included."""
    open_ = [value]
    while open_:
        one = open_.pop()
        if isinstance(one, dict):
            fields = cast("dict[str, object]", one)
            yield fields
            open_ += fields.values()
        elif isinstance(one, list):
            open_ += cast("list[object]", one)


def _leaves(value: object) -> list[str]:
    """The texts inside of a value."""
    found: list[str] = []
    open_ = [value]
    while open_:
        one = open_.pop()
        if isinstance(one, dict):
            open_ += cast("dict[str, object]", one).values()
        elif isinstance(one, list):
            open_ += cast("list[object]", one)
        else:
            found.append(str(one))
    return found
