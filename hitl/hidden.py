"""What a person does not see in a text, or sees as something else; and the same text with all of it written out.

Everything that a stranger wrote passes here on its way to a person: in Slack, in the console, in a terminal, in the
Temporal UI. What counts is taken from Unicode's own properties, and not from a list of known tricks.

A name as a stranger gave it (an id, a parameter, a path) passes `visible` once, where a sentence is made of it.
Sentences (a plan's lines, reasons, how something ended) pass `unhidden` wherever they are shown: `visible` would write
out what was written out before.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
"""Controls, what turns text around, what has no meaning, breaks, and spaces (but for the ordinary one)."""
_MARKS: Final = frozenset({"Mn", "Me"})
_MOST_MARKS: Final = 4
"""On one letter; Hebrew with its accents has so many. More of them cover the lines above and below."""

IGNORABLE: Final = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
"""Unicode's property Default_Ignorable_Code_Point, which Python does not carry; a test compares it with Unicode 17."""
_BLANK: Final = (0x2800, 0x1D159)
"""Symbols whose glyph is nothing at all: the empty braille cell, the null notehead."""
_NEVER_SEEN: Final = frozenset(
    [*(chr(code) for first, last in IGNORABLE for code in range(first, last + 1)), *map(chr, _BLANK)]
)
_LIKE_OURS: Final = re.compile(r"\\(?=u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})")
"""What somebody wrote so that it looks like a character that we wrote out."""


def nothing_hidden(value: str) -> str:
    """The value itself.

    Raises:
        ValueError: It holds a character that a person does not see.
    """
    if hidden := next((one for one, hides in _looked_at(value) if hides), None):
        raise ValueError(f"holds the character U+{ord(hidden):04X}, which a person cannot see; leave it out")
    return value


def visible(text: str) -> str:
    """A text of anybody's, with every character that hides, or turns others around, written as its number.

    Two texts that differ are shown differently: a backslash that would begin such a number is written out as well.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return unhidden(_LIKE_OURS.sub(r"\\u005c", text))


def unhidden(text: str) -> str:
    """A text that was made visible before, as a plan's lines are; what hides in it all the same is written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(written(one) if hides else one for one, hides in _looked_at(text))


def unhidden_lines(text: str) -> str:
    """Several lines of such text; the breaks between them stay."""
    return "\n".join(map(unhidden, text.split("\n")))


def written(character: str) -> str:
    r"""A character as its number: `\u200b`, `\U000E0100`."""
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004 - the last one with four digits


def _looked_at(text: str) -> Iterator[tuple[str, bool]]:
    """Every character, and whether a person does not see it, or it does not let them see others."""
    marks = _MOST_MARKS  # at the beginning there is no letter that could bear one
    for one in text:
        category = unicodedata.category(one)
        hides = one in _NEVER_SEEN or (category in _CATEGORIES and one != " ")
        if category in _MARKS and not hides:
            hides = marks >= _MOST_MARKS
            marks += 1
        else:
            marks = _MOST_MARKS if hides or one == " " else 0
        yield one, hides
