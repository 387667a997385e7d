"""Properties of resources as people may see them: secrets masked, long ones cut, what is not known yet named so."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from pydantic import JsonValue

from connectors.pulumi.identity import SECRET, SIGNATURE
from observability.redaction import is_secret_name

MASK: Final = "[secret]"
LATER: Final = "[known after the update]"
MAX_VALUE: Final = 2_000
"""Characters of one value that are kept; what is longer is cut, and its length is said."""

_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
_PART: Final = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)|\.')
_DEEPEST: Final = 60

Properties = Mapping[str, JsonValue]

TRACEBACK: Final = "Traceback (most recent call last):"
_PLACE: Final = re.compile(r'File "([^"\n]{1,500})", line (\d{1,9})')


def masked(value: JsonValue, *, name: str = "", depth: int = _DEEPEST) -> JsonValue:
    """The value without secrets: what Pulumi marks as one, and what stands under a name that says so.

    Args:
        value: As an event or an export has it.
        name: What it stands under.
        depth: What lies deeper is masked unseen.
    """
    if depth <= 0 or (name and is_secret_name(name) and value not in (None, "", _UNKNOWN) and not _plain(value)):
        return MASK
    if value == _UNKNOWN:
        return LATER
    if isinstance(value, list):
        return [masked(one, depth=depth - 1) for one in value]
    if isinstance(value, dict):
        return _special(value) or {key: masked(one, name=key, depth=depth - 1) for key, one in value.items()}
    return value


def _plain(value: JsonValue) -> bool:
    """Whether it cannot be a secret whatever its name: a flag, a number, or what is looked into anyway."""
    return isinstance(value, bool | int | float | dict | list)


def _special(value: Mapping[str, JsonValue]) -> str | None:
    match value.get(SIGNATURE):
        case None:
            return None
        case mark if mark == SECRET:
            return MASK
        case mark if mark == _OUTPUT:
            return MASK if value.get("secret") else LATER
        case mark if mark in (_ASSET, _ARCHIVE):
            return f"[{'file' if mark == _ASSET else 'archive'} {value.get('hash', 'without a digest')}]"
        case _:
            return "[a reference to another resource]"


def shown(value: JsonValue, *, most: int = MAX_VALUE) -> str:
    """A masked value on one line, at most so many characters of it."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}… [{len(text)} characters]"


def gist(message: str, *, most: int = 400) -> str:
    """A message on one line; of one that has many, as a traceback has, the first and the last."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return shown(" … ".join(dict.fromkeys([*lines[:1], *lines[-1:]])), most=most)


def cause(message: str, *, most: int = 400) -> str:
    """What a message comes to, on one line: of a traceback the error and where it was raised, else its gist."""
    before, traced, after = message.rpartition(TRACEBACK)
    lines = after.splitlines()[1:]
    base = len(before) - len(before.rstrip(" \t"))
    raised = next((line.strip() for line in lines if line.strip() and _indented(line) <= base), "")
    if not traced or not raised:
        return gist(message, most=most)
    places = _PLACE.findall(after)
    where = f" (line {places[-1][1]} of {places[-1][0].rpartition('/')[2]})" if places else ""
    return shown(raised, most=most) + where


def _indented(line: str) -> int:
    return len(line) - len(line.lstrip())


def at_path(properties: Properties, path: str) -> JsonValue:
    """The masked value at a path such as `tags.owner`, `rules[0].port` or `["a.b"]`; None where there is none."""
    here: JsonValue = dict(properties)
    name = ""
    for part in _parts(path):
        if isinstance(here, dict) and SIGNATURE in here:
            return _special(here)
        name = str(part)
        here = _step(here, part)
    return masked(here, name=name)


def _step(here: JsonValue, part: str | int) -> JsonValue:
    if isinstance(here, list):
        return here[part] if isinstance(part, int) and part < len(here) else None
    return here.get(str(part)) if isinstance(here, dict) else None


def _parts(path: str) -> Iterator[str | int]:
    for found in _PART.finditer(path):
        quoted, number, word = found.groups()
        if quoted is not None:
            yield str(cast("str", json.loads(f'"{quoted}"')))
        elif number is not None:
            yield int(number)
        elif word is not None:
            yield word
