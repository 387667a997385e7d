"""The audit files as a book that is read through a line at a time: is it whole, and what does it show.

It may be a folder of workers' files, what the gateway collected of them, or an export. An export is one file that was
made to be handed over, and is held whole; of the others no more than a line is.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from activities.guard.audit import GENESIS, AuditRecord, Head, parse_record
from activities.guard.audit_export import read_export
from activities.guard.audit_verify import Walk

_CHAINS: Final = "chains"
_SHOWN: Final = 5
Chain = tuple[str, bool, Callable[[], Iterable[bytes]]]
"""A role's name; whether its chain must begin at its first event; and its lines, each time anew."""


class NoBook(Exception):
    """There is nothing to read. The message says where it was looked for."""


def chains(where: Path) -> list[Chain]:
    """Each role's chain, in a folder or an export.

    Raises:
        NoBook: There is none.
        ExportError: The file is no export.
        OSError: It cannot be read.
    """
    if where.is_file():
        export = read_export(where)
        return [(role, False, _held(lines)) for role, lines in sorted(export.chains.items())]
    collected = (where / _CHAINS).is_dir()
    files = sorted((where / _CHAINS if collected else where).glob("*.jsonl"))
    if not files:
        raise NoBook(f"there are no audit files in {where}")
    return [(path.stem, not collected, _read(path)) for path in files]


def _held(lines: list[bytes]) -> Callable[[], Iterable[bytes]]:
    return lambda: (line + b"\n" for line in lines)


def _read(path: Path) -> Callable[[], Iterable[bytes]]:
    def lines() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from file

    return lines


def glance(found: Iterable[Chain], take: Callable[[object], None]) -> None:
    """Read every line through as the JSON that it says, unchecked: for where to begin, and for nothing that counts."""
    for _, _, lines in found:
        for line in lines():
            with contextlib.suppress(ValueError):
                take(json.loads(line))


def verified(found: Iterable[Chain], take: Callable[[AuditRecord], None]) -> list[str]:
    """Read every event through, whether the chains are whole or not, and tell what breaks them: of each the first.

    Signatures are not looked at: `banksman audit verify` does that, with the public key.
    """
    problems: list[str] = []
    for role, from_its_first, lines in found:
        walk = Walk(Head(seq=0, hash=GENESIS) if from_its_first else _before(lines()), None)
        for number, line in enumerate(lines(), start=1):
            if (record := walk.take(number, line)) is not None:
                take(record)
        broken = walk.finish().problems
        problems += [f"{role}, {one}" for one in broken[:_SHOWN]]
        if len(broken) > _SHOWN:
            problems.append(f"{role}: and {len(broken) - _SHOWN} more")
    return problems


def _before(lines: Iterable[bytes]) -> Head:
    """What the first event says that it follows: what is collected may begin long after the file did."""
    first = next((one for line in lines if (one := parse_record(line.removesuffix(b"\n"))) is not None), None)
    return Head(seq=first.seq - 1, hash=first.prev) if first is not None else Head(seq=0, hash=GENESIS)
