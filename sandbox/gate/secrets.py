"""Secrets in lines that come. What is found is told by its kind and its place, and never by a letter of it."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from observability.shapes import SHAPES

_KIND: Final = re.compile(r"\[redacted ([a-z-]+)\]")
_PROSE: Final = frozenset({"authorization", "credential", "header"})
"""Shapes that fit code which only names a credential: in a log they are masked, here they would refuse honest lines."""
_SHAPED: Final = tuple(
    (kind[1], shape.pattern)
    for shape in SHAPES
    if (kind := _KIND.search(shape.kept)) is not None and kind[1] not in _PROSE
)
_NAMED: Final = re.compile(
    r"(?i)(?:token|secret|passw(?:or)?d|passphrase|pwd|api[_-]?key|private[_-]?key|access[_-]?key|credential)s?"
    r"[\"']?\]?\s{0,4}(?::\s{0,4}[\w.\[\]| ]{1,40})?[:=]{1,2}\s{0,4}[rbuf]?([\"'])(?P<value>[^\"'\s]{8,200})\1"
)
_IN_ADDRESS: Final = re.compile(r"://[^\s/:@\"'?#]{0,100}:(?P<value>[^\s/\"'?#@]{6,200})@")
_LONG: Final = re.compile(r"(?<![A-Za-z0-9+/_=.-])[A-Za-z0-9+/_-]{24,200}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_PLACEHOLDER: Final = re.compile(
    r"(?i)example|placeholder|change.?me|dummy|fake|redacted|your|xxx|\*\*\*|\.\.\.|^test|^password$|[<>{}$%]"
)
_BITS: Final = 4.2
"""A letter of random base64 has about 4.7 of them at this length, of a name in camel case at most 4."""
_NAMED_BITS: Final = 2.5


def secrets_in(line: str) -> Iterator[str]:
    """The kinds of what looks like a secret in a line, each once."""
    found = {kind for kind, pattern in _SHAPED if pattern.search(line)}
    if any(_random(one["value"], _NAMED_BITS) for one in _NAMED.finditer(line)):
        found.add("value under a secret's name")
    if any(_random(one["value"], _NAMED_BITS) for one in _IN_ADDRESS.finditer(line)):
        found.add("password in an address")
    if not found and any(_drawn(one.group()) for one in _LONG.finditer(line)):
        found.add("random text")
    yield from sorted(found)


def _random(value: str, bits: float) -> bool:
    return not _PLACEHOLDER.search(value) and _entropy(value) >= bits


def _drawn(word: str) -> bool:
    """Whether somebody drew its letters. Digests and ids in hexadecimal are no secrets by themselves."""
    if _HEX.fullmatch(word) or word.startswith(("sha256-", "sha384-", "sha512-")) or _PLACEHOLDER.search(word):
        return False
    kinds = (str.islower, str.isupper, str.isdigit)
    return all(any(is_kind(one) for one in word) for is_kind in kinds) and _entropy(word) >= _BITS


def _entropy(word: str) -> float:
    """Bits for each of its letters."""
    return -sum(count / len(word) * math.log2(count / len(word)) for count in Counter(word).values())
