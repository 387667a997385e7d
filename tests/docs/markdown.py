"""Reads the documentation as a reader's browser and shell would: links, anchors, blocks of commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)

_BLOCK: Final = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CODE: Final = re.compile(r"`[^`\n]*`")
_HEADING: Final = re.compile(r"^#{1,6} +(?P<text>.+?) *$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: what stands behind the fence, and its text."""

    info: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(info=one["info"].strip(), text=one["text"]) for one in found]


def links(page: Path) -> list[str]:
    """The target of every link and picture, outside code."""
    return [one["target"] for one in _LINK.finditer(_CODE.sub("", _prose(page)))]


def anchors(page: Path) -> set[str]:
    """What `#…` may name on a page, by GitHub's rule: lower case, no punctuation, hyphens for spaces."""
    headings = (one["text"] for one in _HEADING.finditer(_prose(page)))
    return {re.sub(r"[^\w\- ]", "", text.lower().replace("`", "")).replace(" ", "-") for text in headings}


def command_lines(page: Path) -> Iterator[list[str]]:
    """Every line of a shell block, as words; what a line ended by a backslash goes on with belongs to it."""
    for block in blocks(page):
        if block.info.split(" ")[0] not in {"sh", "console"}:
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            prompt = line.startswith("$ ")
            if prompt or block.info == "sh":
                yield shlex.split(line.removeprefix("$ "), comments=True)


def _prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))
