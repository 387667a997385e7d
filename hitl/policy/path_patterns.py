"""Patterns of paths, as git reads them in `.gitignore`: which of a repository's files a trigger is about. Pure.

`*` is any characters but a slash, `?` one of them, `[a-z]` one of these; a part that is `**` is any number of parts. A
pattern with a slash before its end is of the whole path, one without of a file or a folder anywhere; what fits a folder
fits all in it, and one that ends in a slash is of folders alone. One after `!` takes away; the last that fits counts.

Somebody else wrote pattern and path: no match takes longer than both are long together. That is why it is no regular
expression, and no library that makes one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hitl.policy.triggers import fits_parts

_TOKEN: Final = re.compile(r"\\(.)|\[([!^]?)(\]?[^\]]*)\]|(.)", re.DOTALL)
_RANGE: Final = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def touches(paths: Iterable[str], patterns: Sequence[str]) -> bool:
    """Whether one of these paths fits: the last pattern that fits it does not begin with `!`."""
    read = [_read(one) for one in patterns]
    return any(_wanted(path.split("/"), read) for path in paths)


def only_takes_away(patterns: Sequence[str]) -> bool:
    """Whether no path can ever fit these."""
    return all(one.startswith("!") for one in patterns)


@dataclass(frozen=True)
class _Pattern:
    parts: list[str]
    folder: bool
    takes_away: bool


def _read(pattern: str) -> _Pattern:
    body = pattern.removeprefix("!")
    inner = body.rstrip("/")
    anchored = "/" in inner
    parts = inner.lstrip("/").split("/")
    folder = body.endswith("/") or parts[-1] == "**"
    if parts[-1] == "**" and len(parts) > 1:
        parts.pop()
    return _Pattern(parts if anchored else ["**", *parts], folder, pattern.startswith("!"))


def _wanted(parts: list[str], patterns: Iterable[_Pattern]) -> bool:
    wanted = False
    for one in patterns:
        if wanted is one.takes_away and _fits(parts, one):
            wanted = not one.takes_away
    return wanted


def _fits(parts: list[str], pattern: _Pattern) -> bool:
    """The file itself, or a folder that it is in: of a path that has something after it, any beginning."""
    if not pattern.folder and fits_parts(parts, pattern.parts, _fits_part, wide="**"):
        return True
    return fits_parts(parts, [*pattern.parts, "**", "*"], _fits_part, wide="**")


def _fits_part(part: str, pattern: str) -> bool:
    """One part, character by character."""
    return fits_parts(part, _tokens(pattern), _takes, wide=None)


@dataclass(frozen=True)
class _OneOf:
    """One character: any where there are no ranges; otherwise one within them, or without."""

    ranges: tuple[tuple[str, str], ...] = ()
    without: bool = False


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[_OneOf | None, ...]:
    """Of one part; None is a star."""
    found: list[_OneOf | None] = []
    for escaped, negated, inside, plain in _TOKEN.findall(pattern):
        if inside:
            ranges = [(a or one, b or one) for a, b, one in _RANGE.findall(inside)]
            found.append(_OneOf(tuple(ranges), bool(negated)))
        elif plain == "*" and not escaped:
            found.append(None)
        elif plain == "?" and not escaped:
            found.append(_OneOf())
        else:
            said = escaped or plain
            found.append(_OneOf(((said, said),)))
    return tuple(found)


def _takes(character: str, token: _OneOf | None) -> bool:
    if token is None:
        return False
    return not token.ranges or any(low <= character <= high for low, high in token.ranges) is not token.without
