"""How `banksman up` shows an environment that starts."""

import time
from collections.abc import Iterable
from typing import Self

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from deploy.local.processes.child import ChildReport, ChildState
from workers.commands.exits import err
from workers.commands.status import MARKS


class Board:
    """The children as they start: live on a terminal, and a line for each that is ready everywhere."""

    def __init__(self) -> None:
        self._live = Live(console=err, refresh_per_second=8, transient=True)
        self._began = time.monotonic()
        self._ready: set[str] = set()
        self._noted = 0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Clear what is live."""
        self._live.update("")
        self._live.stop()

    def say(self, line: str) -> None:
        """Print a line above what is live."""
        self._live.console.print(line)

    def say_new(self, notes: tuple[str, ...]) -> None:
        """Print those notes that were not printed before."""
        for note in notes[self._noted :]:
            self.say(f"  [dim]{escape(note)}[/]")
        self._noted = len(notes)

    def update(self, reports: Iterable[ChildReport]) -> None:
        """Show where each child stands."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for report in reports:
            if report.state is ChildState.READY and report.name not in self._ready:
                self._ready.add(report.name)
                seconds = time.monotonic() - self._began
                self.say(f"{MARKS[report.state]} {report.name} [dim]ready after {seconds:.1f} s[/]")
            elif report.name not in self._ready:
                table.add_row(MARKS[report.state], report.name, f"[dim]{report.state}[/]")
        self._live.update(table)
