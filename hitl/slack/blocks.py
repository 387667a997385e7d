"""What messages are made of: plain text in which nothing is markup, cut where Slack would refuse it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hitl.hidden import unhidden

_ALL_BLOCKS: Final = 12_000
"""Of the 13,200 characters that a message's blocks may have together, as others measured it."""
_SECTIONS: Final = (2800, 1800, 1000, 500)
"""How long a section may be, of Slack's 3000: the longest with which all blocks fit."""
_HEADER: Final = 150
_LINK: Final = 2900
_FIELD: Final = 1900
_CUT: Final = "\n… cut here: the link below leads to the whole of it"
Block = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A message's content; `stage` grows with what it is about."""

    text: str
    blocks: Sequence[Block]
    metadata: Mapping[str, object]
    stage: int = 0


def escaped(text: str) -> str:
    """Text for a `mrkdwn` object: with what hides made visible, and no link or mention of its own."""
    return unhidden(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(address: str, label: str) -> str:
    """A link in `mrkdwn`. A bar in the label would end the address there."""
    return f"<{address}|{escaped(label).replace('|', '¦')}>"


def plain(text: str) -> Block:
    """Text in which nothing is markup; without emoji, so that :white_check_mark: shows these letters."""
    return {"type": "plain_text", "text": text, "emoji": False}


def short(text: str, most: int) -> str:
    """The text, cut to so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass(frozen=True)
class Passage:
    """A title with lines under it, as one section.

    Attributes:
        lines: As people see them: what hides in them was made visible.
        title_when_cut: Where the lines do not fit, so that no title promises what is not shown.
    """

    title: str
    lines: Sequence[str] = ()
    title_when_cut: str = ""

    def within(self, most: int) -> str:
        """At most so many characters."""
        text = "\n".join((self.title, *self.lines))
        if len(text) <= most:
            return text
        text = "\n".join((self.title_when_cut or self.title, *self.lines))
        return text[: most - len(_CUT)] + _CUT


def named(text: str) -> str:
    """A name of anybody's in `mrkdwn`: as code, in which nothing is markup, emoji or mention."""
    return f"`{escaped(text).replace('`', 'ˋ')}`"


def fields(pairs: Sequence[tuple[str, str]]) -> Block:
    """Bold labels, each over its value; values are `mrkdwn` that was escaped."""
    return {
        "type": "section",
        "fields": [
            {"type": "mrkdwn", "text": f"*{label}*\n{value}", "verbatim": True}
            for label, value in pairs
            if len(value) <= _FIELD
        ],
    }


def markup(text: str) -> Block:
    """A section of our own `mrkdwn`."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def header(text: str) -> Block:
    """The first block."""
    return {"type": "header", "text": plain(short(text, _HEADER))}


def context(texts: Sequence[str]) -> Block:
    """The small print, in `mrkdwn`; what would be too long for Slack is left out."""
    elements = [{"type": "mrkdwn", "text": one} for one in texts if len(one) <= _LINK]
    return {"type": "context", "elements": elements}


def fitting(heads: Sequence[Block], passages: Sequence[Passage], around: Sequence[Block]) -> Sequence[Block]:
    """All blocks, the passages as long as Slack lets them be together."""
    blocks: list[Block] = []
    for most in _SECTIONS:
        blocks = [*heads, *({"type": "section", "text": plain(one.within(most))} for one in passages), *around]
        if len(json.dumps(blocks, ensure_ascii=False)) <= _ALL_BLOCKS:
            break
    return blocks
