"""Specifications as values: what one would lose against the one that is live, and what in it lies open."""

import re
from collections.abc import Iterable, Iterator
from typing import Final, cast

from pydantic import JsonValue

from observability.redaction import is_secret_name

_ENCRYPTED: Final = "ENC["
_USER_IN_ADDRESS: Final = re.compile(r"://[^/\s:@]+:[^/\s@]+@")


def losses(kind: str, new: JsonValue, live: JsonValue) -> tuple[str, ...]:
    """What a specification's publication deletes although it stays: each in a sentence.

    Args:
        kind: Its type.
        new: The specification.
        live: The one that is live; None where there is none.
    """
    if live is None:
        return ()
    if kind == "collection":
        reset = _member(new, "reset") is True
        return ("the collection is reset: its data is deleted and read anew",) if reset else ()
    if kind != "materialization":
        return ()
    before = _bindings(live)
    return tuple(
        f"the table of {_named(one)} is dropped and filled anew: its `backfill` counts up"
        for one in _bindings(new)
        if any(_backfills(one) > _backfills(other) for other in _same(one, before))
    )


def open_secrets(spec: JsonValue) -> tuple[str, ...]:
    """Where an endpoint's configuration holds what looks like a secret and is not encrypted; places alone.

    Estuary wants secrets encrypted by its own service before they are drafted (`flowctl` does it), and so do we: an
    input is kept in a history.
    """
    return tuple(sorted(set(_open(_member(spec, "endpoint"), "endpoint"))))


def unchanged(new: JsonValue, live: JsonValue) -> bool:
    """Whether it is live as it is. `expectPubId` and `delete`, which flowctl writes, are no part of it."""
    return _bare(new) == _bare(live)


def common_prefix(names: Iterable[str]) -> str:
    """The one name, or the prefix that all have; empty where they share none."""
    found = sorted(set(names))
    if len(found) == 1:
        return found[0]
    parts = [one.split("/")[:-1] for one in found]
    shared = list[str]()
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return "".join(f"{one}/" for one in shared)


def tenant(name: str) -> str:
    """Whose it is: what stands before the first slash."""
    return name.partition("/")[0]


def _open(value: JsonValue, place: str) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                if name == "sops":
                    continue
                if isinstance(inner, str) and is_secret_name(name) and inner and not inner.startswith(_ENCRYPTED):
                    yield f"{place}.{name}"
                yield from _open(inner, f"{place}.{name}")
        case list():
            for number, inner in enumerate(value):
                yield from _open(inner, f"{place}[{number}]")
        case str() if _USER_IN_ADDRESS.search(value):
            yield place
        case _:
            pass


def _bare(spec: JsonValue) -> JsonValue:
    if not isinstance(spec, dict):
        return spec
    return {name: value for name, value in spec.items() if name not in {"expectPubId", "delete"}}


def _bindings(spec: JsonValue) -> list[JsonValue]:
    found = _member(spec, "bindings")
    return found if isinstance(found, list) else []


def _same(binding: JsonValue, others: list[JsonValue]) -> list[JsonValue]:
    """What it was: the one of its source and resource; without one, to be on the safe side, all that share either."""
    whole = [one for one in others if _source(one) == _source(binding) and _resource(one) == _resource(binding)]
    return whole or [
        one
        for one in others
        if _source(one) == _source(binding) or (_table(one) is not None and _table(one) == _table(binding))
    ]


def _source(binding: JsonValue) -> JsonValue:
    source = _member(binding, "source")
    return _member(source, "name") if isinstance(source, dict) else source


def _resource(binding: JsonValue) -> JsonValue:
    return _member(binding, "resource")


def _table(binding: JsonValue) -> JsonValue:
    return _member(_resource(binding), "table")


def _named(binding: JsonValue) -> str:
    table = _table(binding)
    return f"{_source(binding)!s}" + (f" → {table}" if isinstance(table, str) else "")


def _backfills(binding: JsonValue) -> int:
    found = _member(binding, "backfill")
    return found if isinstance(found, int) else 0


def _member(value: JsonValue, name: str) -> JsonValue:
    return cast("dict[str, JsonValue]", value).get(name) if isinstance(value, dict) else None
