"""How the command ends: exit codes, and one way of saying an error."""

import textwrap
from collections.abc import Iterable
from enum import IntEnum
from json import dumps, loads
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from hitl.hidden import unhidden, unhidden_lines


class SafeConsole(Console):
    """A console that obeys nobody but us: in what it writes, whatever hides or commands a terminal is written out.

    It looks at what is left after rich has taken its own markup out, so that no caller has to think of it.
    """

    def __init__(self, *, emoji: bool = False, **given: Any) -> None:
        """A console that leaves `:100:` as it is: it is a line's number, and no emoji."""
        super().__init__(emoji=emoji, **given)

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(one if one.control else one._replace(text=shown(one.text)) for one in buffer)

    def print_json(self, json: str | None = None, **options: Any) -> None:
        """The same for JSON, where what hides is written as JSON itself writes it: programs read it, too."""
        del options
        text = dumps(loads(json or "null"), indent=2, ensure_ascii=False)
        self.print(JSONHighlighter()(Text("".join(map(_as_json, text)))), soft_wrap=True)


out = SafeConsole(highlight=False)
"""For people and pipes: results."""
err = SafeConsole(stderr=True, highlight=False)
"""Progress and errors."""


class Exit(IntEnum):
    """Exit codes; a goal's outcome is one of the first five, or the last."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    DENIED = 3
    CANCELLED = 4
    NO_STACK = 5
    INCOMPLETE = 6
    """What was approved was not carried out whole, or nobody can say: a person goes on from there."""


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """Say what is wrong in one line and end."""
    err.print(f"[bold red]error:[/] {escape(shown(message))}", soft_wrap=True)
    raise typer.Exit(int(code))


def wrapped(text: str, *, indent: int, label: str = "") -> str:
    """Prose at the terminal's width, indented, its first line by a label; what has no space in it stays whole."""
    return textwrap.fill(
        text,
        max(out.width - 1, indent + 20),
        initial_indent=label.ljust(indent),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def shown(text: str) -> str:
    """Text for a terminal: what hides and what commands it is written out; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "\t".join(map(unhidden_lines, text.split("\t")))


def _as_json(character: str) -> str:
    return character if character == "\n" or unhidden(character) == character else dumps(character)[1:-1]
