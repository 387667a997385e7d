"""How the command ends: exit codes, and one way of saying an error."""

import textwrap
from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

out = Console(highlight=False)
"""For people and pipes: results."""
err = Console(stderr=True, highlight=False)
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
    """Text for a terminal: its control characters are seen, not obeyed."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
