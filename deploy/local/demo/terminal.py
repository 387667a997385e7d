"""What a demonstration says, line by line; kept with its times where somebody wants to show it again."""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.status import Status

_LONGEST: Final = 110


class DemoFailed(Exception):
    """It cannot go on; the message is the one sentence that people read."""


class Broken(Exception):
    """It did not go as was promised; one line each."""

    def __init__(self, differences: list[str]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences


class Terminal:
    """Where it is said. A line under way is for terminals alone: a log gets what has ended."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._record: Path | None = None

    def record(self, into: Path) -> None:
        """Keep each line, with its seconds since now: JSON, a line each."""
        into.write_text("")
        self._began, self._record = time.monotonic(), into

    def say(self, line: str) -> None:
        """One line, in rich's markup."""
        self._out.print(line)
        if self._record is not None:
            with self._record.open("a") as file:
                file.write(json.dumps([round(time.monotonic() - self._began, 2), line], ensure_ascii=False) + "\n")

    @contextmanager
    def working(self, what: str) -> Generator[Status]:
        """Show what is under way; its `update` says something else."""
        with self._out.status(what) as status:
            yield status


terminal: Final = Terminal()


def say(line: str) -> None:
    """One line, in rich's markup."""
    terminal.say(line)


def plain(line: str) -> str:
    """A stranger's line for a terminal, which must not obey it."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)[:_LONGEST])
