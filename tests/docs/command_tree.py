"""The `banksman` command as data: every command by its words, its help as plain text, and the options it takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from workers.cli import app

_WIDTH: Final = 100
_NEVER_LISTED: Final = frozenset({"--help", "-h", "--install-completion", "--show-completion"})


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        words: What is typed, `("banksman", "policy", "check")`.
        help: What `--help` says, without colours and frames.
        options: Every spelling of every option it takes.
        arguments: How many arguments it takes.
        group: Whether it does nothing itself and only holds other commands.
    """

    words: tuple[str, ...]
    help: str
    options: frozenset[str]
    arguments: int
    group: bool


def commands() -> dict[tuple[str, ...], Command]:
    """Every command that is not hidden, in the order of `banksman --help`."""
    root = get_command(app)
    return {command.words: command for command in _walk(root, ("banksman",), None)}


def _walk(command: object, words: tuple[str, ...], parent: typer.Context | None) -> Iterator[Command]:
    if not isinstance(command, TyperGroup | TyperCommand):
        raise TypeError(f"{' '.join(words)} is not a command of Typer")
    command.rich_markup_mode = None  # plain text, whatever the terminal
    context = typer.Context(
        command, info_name=words[-1], parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    spellings = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    yield Command(
        words=words,
        help=command.get_help(context).rstrip(),
        options=frozenset(name for name in spellings if name.startswith("-")) | {"--help", "-h"},
        arguments=sum(not one.opts[0].startswith("-") for one in command.params),
        group=isinstance(command, TyperGroup) and not command.invoke_without_command,
    )
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            if not below.hidden:
                yield from _walk(below, (*words, name), context)
