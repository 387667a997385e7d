"""Reads what the gateway collected of the audit files, from its end: all chains together, the newest event first.

The files only grow, so that a place in each of them is a page's beginning for as long as they are kept. A request
looks at so many lines and no more, and says where it stopped. Each line that is shown is checked against its own hash;
whether the chains are whole is another question, which `hitl.console.audit.check` answers.
"""

import base64
import contextlib
import heapq
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import TypeAdapter, ValidationError

from activities.guard.audit import AuditRecord, parse_record
from activities.guard.audit_collect import chain_files
from hitl.console.audit.filter import AuditFilter

LOOKED_AT: Final = 10_000
"""Lines of one request: a second's work beside the clicks of people."""
_BLOCK: Final = 64 * 1024
_LONGEST: Final = 1024 * 1024
"""Of a line. No record is so long; what is longer is told as no record."""
_LAST: Final = "9999"
"""Sorts behind every time: what is no record comes where it stands, before what is older."""
_PLACES: Final = TypeAdapter(dict[str, int])


@dataclass(frozen=True, kw_only=True)
class AuditLine:
    """One line of one chain.

    Attributes:
        role: Whose.
        at: Where it begins in its file, in bytes.
        record: None where it is no record: edited, or not written by us.
    """

    role: str
    at: int
    record: AuditRecord | None


@dataclass(kw_only=True)
class AuditPage:
    """Some events, the newest first.

    Attributes:
        next: Where the next ones begin; None where there are no more.
        looked_at: How many lines were looked at.
    """

    lines: list[AuditLine] = field(default_factory=list[AuditLine])
    next: str | None = None
    looked_at: int = 0


class NoSuchPage(ValueError):
    """What a link names as the beginning of a page is none."""


def read_book(folder: Path, wanted: AuditFilter, page: str | None, *, most: int) -> AuditPage:
    """So many events that are looked for, from that place on. Blocks.

    Args:
        folder: The collector's.
        wanted: What is looked for.
        page: As an earlier page named it; the end of the log when left out.
        most: How many.

    Raises:
        OSError: The files cannot be read.
        NoSuchPage: There is no such page.
    """
    begins = _places(page) if page else {}
    found = AuditPage()
    places: dict[str, int] = {}
    with _opened(folder) as files:
        for role, file in files.items():
            size = os.fstat(file.fileno()).st_size
            places[role] = min(begins.get(role, 0), size) if page else size
        chains = [_back(role, file, places[role]) for role, file in files.items()]
        for line in heapq.merge(*chains, key=_when, reverse=True):
            if found.looked_at >= LOOKED_AT or len(found.lines) >= most:
                found.next = _token(places)
                break
            found.looked_at += 1
            places[line.role] = line.at
            if line.record is None and not wanted:
                found.lines.append(line)
            elif line.record is not None and wanted.is_before(line.record.time):
                break
            elif line.record is not None and wanted.matches(line.record):
                found.lines.append(line)
    return found


@contextlib.contextmanager
def _opened(folder: Path) -> Generator[dict[str, BinaryIO]]:
    """All chains, by role."""
    with contextlib.ExitStack() as opened:
        yield {role: opened.enter_context(path.open("rb")) for role, path in chain_files(folder)}


def _when(line: AuditLine) -> str:
    return line.record.time if line.record is not None else _LAST


def _back(role: str, file: BinaryIO, end: int) -> Iterator[AuditLine]:
    """The lines that end before this place, the last one first; what has no end yet is being written."""
    begin, unread, ends = end, b"", False
    while begin > 0:
        stop, begin = begin, max(0, begin - _BLOCK)
        unread = os.pread(file.fileno(), stop - begin, begin) + unread
        if not ends:
            unread = unread[: unread.rfind(b"\n") + 1]
        ends = bool(unread)
        lines = unread.split(b"\n")[:-1]
        unread = lines.pop(0) + b"\n" if lines and begin else b""
        at = begin + len(unread) + sum(len(line) + 1 for line in lines)
        for line in reversed(lines):
            at -= len(line) + 1
            yield AuditLine(role=role, at=at, record=parse_record(line))
        if len(unread) > _LONGEST:
            yield AuditLine(role=role, at=begin, record=None)
            unread, ends = b"", False


def _token(places: dict[str, int]) -> str:
    return base64.urlsafe_b64encode(_PLACES.dump_json(places)).decode()


def _places(page: str) -> dict[str, int]:
    try:
        return _PLACES.validate_json(base64.urlsafe_b64decode(page))
    except (ValueError, ValidationError) as error:
        raise NoSuchPage("There is no such page of the log; begin at its newest event.") from error
