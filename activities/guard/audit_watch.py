"""Looks now and then whether this process's audit file is whole, so that an alert tells of what nobody asked about.

Each minute the lines that came since; every few hours, and while anything is wrong, the whole file. What was the last
line at the look before must still be there: a cut end is found too, as long as the process lives.
"""

import asyncio
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, Never

import structlog
from prometheus_client import Gauge

from activities.guard.audit import GENESIS, Head, parse_record
from activities.guard.audit_verify import VerifyReport, verify
from observability import names

_EVERY_S: Final = 60.0
_UNTIL_THERE_S: Final = 5.0
_WHOLE: Final = 240
"""Every so many looks at all of it."""
_BLOCK: Final = 64 * 1024
_log = structlog.get_logger("banksman.audit.watch")


class _Place(NamedTuple):
    """How far a file was looked at, and where its chain stood there."""

    file: tuple[int, int]
    begins_after: Head
    size: int
    head: Head


class AuditWatch:
    """Watches one file. One that is not there yet, or is never written by this role, is nothing wrong.

    Args:
        path: The file.
        every: Seconds between two looks.
    """

    def __init__(self, path: Path, *, every: float = _EVERY_S) -> None:
        self._path, self._every = path, every
        self._place: _Place | None = None
        self._looks = 0
        self._whole = True

    async def run(self) -> Never:
        """For as long as the process lives."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except OSError as error:
                _log.warning("the audit log was not looked at", path=str(self._path), why=str(error))
            await asyncio.sleep(self._every if self._looks else _UNTIL_THERE_S)

    def look(self) -> bool:
        """One look; blocks.

        Returns:
            Whether the chain is whole, as far as it was looked at.

        Raises:
            OSError: The file cannot be read.
        """
        if not self._path.exists():
            return True
        found = self._path.stat()
        file, size = (found.st_dev, found.st_ino), _whole_lines(self._path, found.st_size)
        report = self._report(file, size)
        if not report.ok and self._whole:
            _log.error("the audit log is not whole", path=str(self._path), problems=report.problems[:10])
        self._whole = report.ok
        _gauge().set(report.ok)
        self._looks += 1
        return report.ok

    def _report(self, file: tuple[int, int], size: int) -> VerifyReport:
        before = self._place
        same = before is not None and before.file == file
        if before is not None and same and self._whole and self._looks % _WHOLE and size >= before.size:
            report = verify(self._path, follows=before.head, part=slice(before.size, size))
            begins_after = before.begins_after
        else:
            # Whoever moves the file away keeps the chain; where it was before we came, its first line says.
            begins_after = before.begins_after if before and same else before.head if before else _first(self._path)
            anchor = before.head if before and same and before.head.seq else None
            report = verify(self._path, follows=begins_after, anchor=anchor, part=slice(0, size))
        if report.ok:
            head = report.head or (before.head if before else begins_after)
            self._place = _Place(file=file, begins_after=begins_after, size=size, head=head)
        return report


def _first(path: Path) -> Head:
    """What the first line says that it follows: nothing, but in a file that another was moved away for."""
    with path.open("rb") as lines:
        record = parse_record(lines.readline().removesuffix(b"\n"))
    return Head(seq=record.seq - 1, hash=record.prev) if record is not None else Head(seq=0, hash=GENESIS)


def _whole_lines(path: Path, size: int) -> int:
    """How many bytes are lines that have ended; what is being written, or was torn, comes after."""
    with path.open("rb") as file:
        while size > 0:
            begin = max(0, size - _BLOCK)
            file.seek(begin)
            if (newline := file.read(size - begin).rfind(b"\n")) >= 0:
                return begin + newline + 1
            size = begin
    return 0


@cache
def _gauge() -> Gauge:
    # Made at the first look: a process without an audit file says nothing about one.
    return Gauge(names.METRIC_AUDIT_WHOLE, "Whether this process's audit file is whole, as far as it was looked at.")
