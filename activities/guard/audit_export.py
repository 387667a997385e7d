"""What an auditor is handed: every collected line and every checkpoint in one file, checked with a public key alone.

One JSON object a line: a head, then each chain's lines as they were written, then the checkpoints. Whoever changes,
leaves out, moves or cuts something either breaks a chain or contradicts a signature; the first broken entry is named.
What lies behind the last checkpoint is chained and not signed yet, and whether checkpoints were cut off at the end only
one shows that was kept elsewhere.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from activities.guard.audit import GENESIS, AuditRecord, Head, parse_record
from activities.guard.audit_checkpoint import Chain, Checkpoint, CheckpointError, SignedCheckpoint
from activities.guard.audit_collect import chain_files, checkpoints
from activities.guard.audit_verify import Walk
from hitl.approval.signing import PublicKeys
from hitl.protocol import Effect

EXPORT: Final = "banksman-audit-export/v1"
EFFECTS: Final = frozenset({Effect.WRITE, Effect.DESTRUCTIVE})
_ENDS: Final = frozenset({"finished", "failed", "cancelled"})


class ExportError(ValueError):
    """A file is no export. The message says why."""


class _Entry(BaseModel):
    """One line of an export: one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    export: str | None = None
    exported_at: str | None = None
    role: str | None = None
    line: str | None = None
    bytes: str | None = None
    checkpoint: SignedCheckpoint | None = None


@dataclass(kw_only=True)
class Export:
    """An export, read.

    Attributes:
        exported_at: When it was made, by its own word.
        chains: Each role's lines, as they were written, without their ends.
        checkpoints: In their order.
    """

    exported_at: str = ""
    chains: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])
    checkpoints: list[SignedCheckpoint] = field(default_factory=list[SignedCheckpoint])

    def records(self) -> Iterator[AuditRecord]:
        """All whole records by their time."""
        found = (record for lines in self.chains.values() for line in lines if (record := parse_record(line)))
        return iter(sorted(found, key=lambda one: one.time))


@dataclass(kw_only=True)
class ExportReport:
    """What a check of an export found.

    Attributes:
        problems: Everything that is broken; the first is the first broken entry.
        events: How many records there are.
        signed: Up to which event each chain is signed.
        unsigned: How many events of each chain lie behind the last checkpoint.
        checkpoints: How many there are.
        open_steps: Steps with an effect that began and of which no end is written: under way, or killed.
    """

    problems: list[str] = field(default_factory=list[str])
    events: int = 0
    signed: dict[str, int] = field(default_factory=dict[str, int])
    unsigned: dict[str, int] = field(default_factory=dict[str, int])
    checkpoints: int = 0
    open_steps: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return not self.problems


def export_lines(folder: Path, *, at: str) -> Iterator[str]:
    """An export of what was collected, a line at a time.

    Args:
        folder: The collector's.
        at: The time now, for its head.

    Raises:
        OSError: Something cannot be read.
        CheckpointError: A checkpoint is none.
    """
    yield json.dumps({"export": EXPORT, "exported_at": at})
    for role, path in chain_files(folder):
        with path.open("rb") as lines:
            for line in lines:
                yield json.dumps({"role": role} | _spelled(line.removesuffix(b"\n")), ensure_ascii=False)
    for one in checkpoints(folder):
        yield json.dumps({"checkpoint": one.model_dump()})


def _spelled(line: bytes) -> dict[str, str]:
    try:
        return {"line": line.decode()}
    except UnicodeDecodeError:  # torn in the middle of a character
        return {"bytes": base64.b64encode(line).decode()}


def read_export(path: Path) -> Export:
    """Read an export from its file, whatever is in it.

    Raises:
        OSError: It cannot be read.
        ExportError: It is none.
    """
    with path.open("rb") as lines:
        return parse_export(lines, name=path.name)


def parse_export(lines: Iterable[bytes], *, name: str) -> Export:
    """An export from its lines.

    Raises:
        ExportError: It is none.
    """
    found = Export()
    for number, line in enumerate(lines, start=1):
        try:
            entry = _Entry.model_validate_json(line)
            _take(found, entry, first=number == 1)
        except ValueError as error:
            told = f": it begins with its head, {EXPORT}" if number == 1 else ""
            raise ExportError(f"{name}:{number}: this is no line of an export{told}") from error
    if not found.exported_at:
        raise ExportError(f"{name} is empty, and no export")
    return found


def _take(found: Export, entry: _Entry, *, first: bool) -> None:
    if first is not (entry.export == EXPORT):
        raise ValueError("an export begins with its head, and has one")
    if first:
        found.exported_at = entry.exported_at or "unknown"
    elif entry.checkpoint is not None:
        found.checkpoints.append(entry.checkpoint)
    elif entry.role is not None:
        line = entry.line.encode() if entry.line is not None else base64.b64decode(entry.bytes or "", validate=True)
        found.chains.setdefault(entry.role, []).append(line)
    else:
        raise ValueError("it says nothing")


def verify_export(export: Export, keys: PublicKeys, *, newest: SignedCheckpoint | None = None) -> ExportReport:
    """Check an export, offline.

    Args:
        export: What was handed over.
        keys: The public halves of the key `audit`, by version.
        newest: A checkpoint that was kept elsewhere, which the export must hold or go beyond.
    """
    report = ExportReport(checkpoints=len(export.checkpoints))
    signed, problems = _checked_checkpoints(export.checkpoints, keys)
    firsts = {role: chain.first for one in reversed(signed) for role, chain in one.chains.items()}
    for role in dict.fromkeys((*firsts, *export.chains)):
        _check_chain(report, role, export.chains.get(role, []), firsts.get(role, 1), signed)
    report.problems += problems
    if newest is not None and (why := newest.refuse(keys)):
        report.problems.append(f"the checkpoint from elsewhere: {why}")
    elif newest is not None and newest.text not in {one.text for one in export.checkpoints}:
        told = f"checkpoint {newest.read().seq}, which is known from elsewhere, is not in this export"
        report.problems.append(f"{told}: its end was cut off, or it was written anew")
    return report


def _checked_checkpoints(given: Sequence[SignedCheckpoint], keys: PublicKeys) -> tuple[list[Checkpoint], list[str]]:
    """Those that hold, up to the first that does not, and what is wrong with that."""
    signed: list[Checkpoint] = []
    prev = GENESIS
    for number, one in enumerate(given, start=1):
        try:
            why, read = one.refuse(keys), one.read()
        except CheckpointError as error:
            return signed, [f"checkpoint {number}: {error}"]
        if why is None and (read.seq, read.prev) != (number, prev):
            why = f"it is checkpoint {read.seq}, and does not follow the one before: left out, moved or inserted"
        if why is not None:
            return signed, [f"checkpoint {number}: {why}"]
        signed.append(read)
        prev = one.hash
    return signed, []


def _check_chain(
    report: ExportReport, role: str, lines: Sequence[bytes], first: int, signed: Sequence[Checkpoint]
) -> None:
    records = [record for line in lines if (record := parse_record(line)) is not None]
    begins = records[0] if records else None
    before = Head(seq=first - 1, hash=begins.prev if begins and first > 1 else GENESIS)
    walk = Walk(before, None)
    for number, line in enumerate(lines, start=1):
        walk.take(number, line + b"\n")
    report.problems += [f"{role}, {problem}" for problem in walk.finish().problems]
    report.events += len(records)
    there = {record.seq: record.hash for record in records}
    for one in signed:
        if (chain := one.chains.get(role)) is not None and (problem := _contradicts(chain, there, one, role)):
            report.problems.append(problem)
            break
    report.signed[role] = max((one.chains[role].seq for one in signed if role in one.chains), default=0)
    report.unsigned[role] = sum(record.seq > report.signed[role] for record in records)
    _check_receipts(report, role, records, whole=first == 1)


def _contradicts(chain: Chain, there: Mapping[int, str], one: Checkpoint, role: str) -> str | None:
    if there.get(chain.seq) == chain.hash:
        return None
    last, signed = max(there, default=0), f"{one.time} (checkpoint {one.seq})"
    if last < chain.seq:
        return f"{role}, events {last + 1} to {chain.seq} are missing: they were there at {signed}"
    what = "another one than" if chain.seq in there else "missing, unlike"
    return f"{role}, event {chain.seq} is {what} the one signed at {signed}: changed, or written anew"


def _check_receipts(report: ExportReport, role: str, records: Sequence[AuditRecord], *, whole: bool) -> None:
    """Each end of a step with an effect has its receipt from before."""
    begun: dict[tuple[str | int | None, ...], list[AuditRecord]] = {}
    for record in records:
        if record.effect not in EFFECTS:
            continue
        key = (record.workflow_id, record.run_id, record.activity_id, record.attempt, record.action)
        if record.event == "allowed":
            begun.setdefault(key, []).append(record)
        elif record.event in _ENDS and begun.get(key):
            begun[key].pop(0)
        elif record.event in _ENDS and whole:
            text = f"event {record.seq} is the end of {record.action!r}, of which nobody wrote that it was allowed"
            report.problems.append(f"{role}, {text}")
    unended = sorted((one for each in begun.values() for one in each), key=lambda one: one.seq)
    report.open_steps += [f"{role}, event {one.seq}: {one.action} of {one.workflow_id}" for one in unended]
