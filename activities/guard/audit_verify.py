"""Reads an audit log again and says whether its chain is whole. What it can find: see `activities.guard.audit`."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from activities.guard.audit import GENESIS, AuditRecord, Head, parse_record


@dataclass(kw_only=True)
class VerifyReport:
    """What `verify` found.

    Attributes:
        records: How many records the file holds.
        head: The last one's place in the chain; compare it with the newest event of the logger `banksman.audit`.
        problems: Everything that breaks the chain, by line.
        recovered: Torn lines that a crash left and the next event acknowledged: no break, and worth a look.
    """

    records: int = 0
    head: Head | None = None
    problems: list[str] = field(default_factory=list[str])
    recovered: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether the chain is whole."""
        return not self.problems


def verify(
    path: Path, *, follows: Head | None = None, anchor: Head | None = None, part: slice | None = None
) -> VerifyReport:
    """Check every line of one audit file.

    Args:
        path: The file.
        follows: The head of the file before this one, for a log that was rotated; without it the chain must begin here.
        anchor: A head known from elsewhere (the log store) that this file must contain: it finds a cut tail and a chain
            written anew.
        part: The bytes to look at, whole lines; all when left out.

    Raises:
        OSError: When the file cannot be read.
    """
    walk = Walk(follows or Head(seq=0, hash=GENESIS), anchor)
    with path.open("rb") as lines:
        left = part.stop - part.start if part is not None else None
        lines.seek(part.start if part is not None else 0)
        for number, line in enumerate(lines, start=1):
            if left is not None and (left := left - len(line)) < 0:
                break
            walk.take(number, line)
    return walk.finish()


class Walk:
    """One pass over the lines of a file.

    Args:
        head: What the first line must follow.
        anchor: A head that must be met on the way.
    """

    def __init__(self, head: Head, anchor: Head | None) -> None:
        self._report = VerifyReport()
        self._head = head
        self._anchor = anchor
        self._torn = b""
        self._torn_at = 0

    def take(self, number: int, line: bytes) -> AuditRecord | None:
        """Check the next line; the record that it is, if it is one."""
        record = parse_record(line.removesuffix(b"\n")) if line.endswith(b"\n") else None
        if record is None:
            self._torn_at = self._torn_at or number
            self._torn += line
            return None
        self._check_torn(number, record)
        self._check_link(number, record)
        self._head = Head(seq=record.seq, hash=record.hash)
        self._report.records += 1
        if self._anchor is not None and self._anchor == self._head:
            self._anchor = None
        return record

    def finish(self) -> VerifyReport:
        """The report, once every line was taken."""
        if self._torn:
            self._problem(self._torn_at, "no whole record, and none follows it: edited, or torn by a crash just now")
        if self._anchor is not None:
            self._report.problems.append(
                f"event {self._anchor.seq} with hash {self._anchor.hash} is known elsewhere and not in this file: "
                "its tail was cut, or it was written anew"
            )
        if self._report.records:
            self._report.head = self._head
        return self._report

    def _check_torn(self, number: int, record: AuditRecord) -> None:
        marker = record.recovered
        if self._torn and marker and hashlib.sha256(self._torn).hexdigest() == marker.torn_sha256:
            self._report.recovered.append(f"line {self._torn_at}: {len(self._torn)} bytes torn by a crash")
        elif self._torn:
            self._problem(self._torn_at, "no whole record: edited, or not written by us")
        elif marker:
            self._problem(number, f"it follows {marker.torn_bytes} torn bytes that are no longer there: removed")
        self._torn, self._torn_at = b"", 0

    def _check_link(self, number: int, record: AuditRecord) -> None:
        if (record.seq, record.prev) == (self._head.seq + 1, self._head.hash):
            return
        where = "cut at the front" if not self._report.records else "deleted, inserted or moved lines"
        self._problem(number, f"event {record.seq} does not follow event {self._head.seq}: {where}")

    def _problem(self, number: int, text: str) -> None:
        self._report.problems.append(f"line {number}: {text}")
