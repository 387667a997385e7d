"""The audit log: what the guard decided and how each step ended, one JSON line each, chained by hash.

Every line holds the hash of the line before it and its own, over its canonical JSON, so that an edit, a deletion in
the middle, a reordering and a cut at the front are all found by `verify`. What the file alone cannot show is a cut at
its end, or a whole chain written anew by somebody who can write the file: there is no key in it. For that every event
goes to the logger `banksman.audit` too; the newest `seq` and `hash` there are the anchor that `verify` takes.

A crash in the middle of a write leaves a torn last line. It is kept; the next event ends it, follows the last whole
line and carries what it found as `recovered`, which `verify` reports.

Events carry names and ids. Requests, results, messages and secrets have no field to go into; of steps with an effect
there are digests of what was asked and answered (`activities.guard.receipts`), so that nobody can tell another story.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import structlog
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from activities.guard.approval_facts import ApprovalFacts
from activities.guard.model_facts import ModelFacts
from activities.guard.opinion_facts import OpinionFacts
from activities.step_end import Way
from hitl.protocol import Effect, Phase, RefusalReason
from observability.names import LOGGER_AUDIT

GENESIS: Final = "0" * 64
"""What the first line names as the hash before it."""

_TAIL_BLOCK: Final = 4096
_LATER: Final = frozenset({"approval", "answer", "way", "request", "policy", "opinion", "model"})


class Outcome(BaseModel):
    """What happened to a step: the guard's decision, or how the step ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Literal["allowed", "denied", "finished", "failed", "cancelled"]
    error: str | None = Field(default=None, description="The type of the error it failed with.")
    duration_ms: float | None = Field(default=None, description="How long the step ran.")
    answer: str | None = Field(default=None, description="The digest of what it answered.")
    way: Way | None = Field(default=None, description="How a destructive step says that it ended.")
    opinion: OpinionFacts | None = Field(default=None, description="Of a person on a goal, once it is verified.")
    model: ModelFacts | None = Field(default=None, description="What a language model's answer has used.")


class AuditEvent(Outcome):
    """One thing that happened to one step."""

    environment: str
    role: str = Field(description="The worker's role.")
    action: str
    effect: Effect | None
    phase: Phase | None
    reason: RefusalReason | None = Field(default=None, description="Why it was denied.")
    rule: str | None = Field(default=None, description="The rule of the policy that decided.")
    workflow_id: str | None
    workflow_type: str | None
    run_id: str | None
    activity_id: str | None
    attempt: int
    context: Mapping[str, str] = Field(default_factory=dict[str, str], description="What the step touches.")
    approval: ApprovalFacts | None = Field(default=None, description="The approval that the step is about.")
    request: str | None = Field(default=None, description="The digest of what it was asked.")
    policy: str | None = Field(default=None, description="The digest of the policy file that decided.")

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without what came later where there is none: lines that were written before it came are spelled so."""
        return {name: value for name, value in handler(self).items() if name not in _LATER or value is not None}


class Recovered(BaseModel):
    """What a crash left of the line before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    torn_bytes: int
    torn_sha256: str


class Head(BaseModel):
    """Where a chain stands: enough to go on with it, and to tell later that it was not cut."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    hash: str


class AuditRecord(AuditEvent):
    """An event with its place in the chain."""

    seq: int
    time: str = Field(description="UTC, RFC 3339, microseconds.")
    prev: str = Field(description="The hash of the record before.")
    recovered: Recovered | None = None
    hash: str = ""

    def line(self) -> bytes:
        """Its one spelling: canonical JSON and a newline."""
        return _canonical(self.model_dump(mode="json")) + b"\n"

    def sealed(self) -> "AuditRecord":
        """The same record with its hash: SHA-256 over its canonical JSON without the field `hash`."""
        body = self.model_dump(mode="json", exclude={"hash"})
        return self.model_copy(update={"hash": hashlib.sha256(_canonical(body)).hexdigest()})


def _canonical(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse_record(line: bytes) -> AuditRecord | None:
    """The record that is spelled by exactly these bytes (without the newline), or None."""
    try:
        record = AuditRecord.model_validate_json(line)
    except ValidationError:
        return None
    return record if record.sealed() == record and record.line() == line + b"\n" else None


class AuditLog:
    """Appends to one file per process role, on a local disk. Blocks for a tenth of a millisecond; for one thread only.

    Two processes of one role may share the file: a lock on it keeps them from forking the chain.

    Raises:
        OSError: From the constructor and from `append`, when the file cannot be written. Nothing is half-recorded: what
            a failed write left is treated as a torn line by the next one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head = Head(seq=0, hash=GENESIS)
        self._size = 0
        self._fd = self._open()
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger(LOGGER_AUDIT)

    def append(self, event: AuditEvent) -> AuditRecord:
        """Write one event as the next line of the chain; `announce` what comes back."""
        self._follow_path()
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            record = self._next(event)
            self._put(record.line())
            self._head = Head(seq=record.seq, hash=record.hash)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return record

    def announce(self, record: AuditRecord) -> None:
        """Give a written event to the logger. Apart from `append`, for it costs more and no step need wait for it."""
        fields = record.model_dump(mode="json", exclude={"event"}, exclude_none=True)
        self._log.info(record.event, logger=LOGGER_AUDIT, **fields)

    def close(self) -> None:
        """Close the file; the log cannot be used afterwards."""
        os.close(self._fd)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _next(self, event: AuditEvent) -> AuditRecord:
        recovered = self._catch_up()
        return AuditRecord(
            **event.model_dump(),
            seq=self._head.seq + 1,
            time=datetime.now(UTC).isoformat(timespec="microseconds"),
            prev=self._head.hash,
            recovered=recovered,
        ).sealed()

    def _follow_path(self) -> None:
        """Go on in the new file when ours was renamed or deleted; the chain goes on too, so that it shows."""
        ours = os.fstat(self._fd)
        try:
            named = self._path.stat()
        except FileNotFoundError:
            named = None
        if named is None or (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino):
            fresh = self._open()
            os.close(self._fd)
            self._fd, self._size = fresh, 0

    def _catch_up(self) -> Recovered | None:
        """Learn what others wrote, or a crash left, since our last line."""
        size = os.fstat(self._fd).st_size
        if size == self._size:
            return None
        last, rest = last_record(self._fd, size)
        if last is not None:
            self._adopt(last)
        if rest and not rest.endswith(b"\n"):
            self._put(b"\n")
            if (whole := parse_record(rest)) is not None:
                self._adopt(whole)
                return None
            rest += b"\n"
        return Recovered(torn_bytes=len(rest), torn_sha256=hashlib.sha256(rest).hexdigest()) if rest else None

    def _adopt(self, last: AuditRecord) -> None:
        """Go on after this record, unless we know of a later one: a tail that was cut under us must show."""
        if last.seq > self._head.seq:
            self._head = Head(seq=last.seq, hash=last.hash)

    def _put(self, data: bytes) -> None:
        # Unknown until it is known: a write that fails or falls short is looked at by the next append.
        self._size = -1
        if (written := os.write(self._fd, data)) != len(data):
            raise OSError(f"only {written} of {len(data)} bytes of an audit event could be written to {self._path!s}")
        self._size = os.fstat(self._fd).st_size


def last_record(fd: int, size: int) -> tuple[AuditRecord | None, bytes]:
    """The last line that is a record, and every byte after it."""
    window = _TAIL_BLOCK
    while True:
        start = max(0, size - window)
        lines = os.pread(fd, size - start, start).split(b"\n")
        for index in range(len(lines) - 2, -1 if start == 0 else 0, -1):
            if (record := parse_record(lines[index])) is not None:
                return record, b"\n".join(lines[index + 1 :])
        if start == 0:
            return None, b"\n".join(lines)
        window *= 4
