"""Collects what every process writes to its audit file, outside of them, and signs how far each has come.

It runs in the gateway, which has no credential of any provider. Each look copies the lines that came since, after it
has followed their chain; what does not follow is not copied, and is told. A process that is taken over can still write
what it likes from then on, and what was not looked at yet; what was collected it cannot take back.

What was copied is where it goes on after a restart, so the copy is its only state.
"""

import asyncio
import base64
import fcntl
import json
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, Never, TextIO

import structlog
from prometheus_client import Gauge
from pydantic import ValidationError

from activities.guard.audit import GENESIS, AuditRecord, Head, last_record, parse_record
from activities.guard.audit_checkpoint import Chain, CheckpointError, SignedCheckpoint, next_checkpoint
from activities.guard.audit_verify import Walk
from activities.guard.key_ring import Fetch
from connectors.errors import ConnectorError
from observability import names
from observability.names import LOGGER_AUDIT_CHECKPOINTS

CHAINS: Final = "chains"
CHECKPOINTS: Final = "checkpoints.jsonl"
KEYS: Final = "key.json"
COLLECTED: Final = "collected"
"""The collector's folder in that of its own process's audit file."""
_EVERY_S: Final = 10.0
_MOST_AT_ONCE: Final = 4 * 1024 * 1024
"""About a second's work in one look, beside the clicks of people."""
_MOST_FILES: Final = 20
_ROLE: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_log = structlog.get_logger("banksman.audit.collect")


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """The key `audit`. Both raise `ConnectorError`.

    Attributes:
        sign: A signature of a text, as Vault writes it. No process that acts may have one.
        published: Its raw public halves by version; they lie beside the checkpoints, for convenience.
    """

    sign: Callable[[str], Awaitable[str]]
    published: Fetch


class NotCollected(Exception):
    """What stands in a file does not follow what was collected of it. The message says how."""


@dataclass
class _Source:
    """One process's file, held open: what another file was moved over is read to its end first."""

    file: BinaryIO
    inode: tuple[int, int]
    offset: int


class AuditCollector:
    """Collects from folders into one of its own.

    Args:
        sources: Where the files `ROLE.jsonl` lie, or `ROLE/ROLE.jsonl` where each has a folder of its own.
        into: Its own folder.
        key: What it signs with.
        environment: This deployment's.
        every: Seconds between two looks.
    """

    def __init__(
        self,
        sources: Sequence[Path],
        into: Path,
        *,
        key: SigningKey,
        environment: str,
        every: float = _EVERY_S,
    ) -> None:
        self._sources, self._into, self._key = sources, into, key
        self._environment, self._every = environment, every
        self._open: dict[str, _Source] = {}
        self._lock: TextIO | None = None
        self.harmed: dict[str, str] = {}
        """Why of a role nothing is collected, until it is mended."""

    async def run(self) -> Never:
        """For as long as the process lives."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(self._every)
        finally:
            self.close()

    async def _look(self) -> None:
        """One look, and whether all went well, for an alert."""
        well = False
        try:
            await asyncio.to_thread(self.collect)
            await self.checkpoint()
            well = not self.harmed
        except OSError as error:
            _log.error("audit files are not collected", why=str(error))
        except (ConnectorError, CheckpointError) as error:
            _log.warning("what was collected of audit files is not signed yet", why=str(error))
        if self._lock is not None:
            _gauge().set(well)

    def collect(self) -> None:
        """One look at all files; blocks. Does nothing while another process collects into the same folder.

        Raises:
            OSError: A file cannot be read, or the copy cannot be written.
        """
        if not self._alone():
            return
        for role, path in self._files():
            try:
                self._collect(role, path)
            except NotCollected as harm:
                self._tell(role, str(harm))
            else:
                self.harmed.pop(role, None)

    def close(self) -> None:
        """Let another process collect."""
        for source in self._open.values():
            source.file.close()
        self._open.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def checkpoint(self) -> SignedCheckpoint | None:
        """Sign where the chains stand, where they stand elsewhere than at the last one.

        Raises:
            OSError: The folder cannot be read or written.
            CheckpointError: The last one cannot be read: somebody changed it.
            ConnectorError: Vault does not sign now.
        """
        if self._lock is None:
            return None
        before = last_checkpoint(self._into)
        chains = {role: chain for role, path in chain_files(self._into) if (chain := _chain(path)) is not None}
        if not chains or (before is not None and before.read().chains == chains):
            return None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        text = next_checkpoint(before, chains, environment=self._environment, time=now).text()
        signed = SignedCheckpoint.from_vault(text, await self._key.sign(text))
        _append(self._into / CHECKPOINTS, signed.model_dump_json().encode() + b"\n")
        keys = {str(version): base64.b64encode(raw).decode() for version, raw in (await self._key.published()).items()}
        (self._into / KEYS).write_text(json.dumps(keys), encoding="utf-8")
        structlog.get_logger(LOGGER_AUDIT_CHECKPOINTS).info(
            "checkpoint", logger=LOGGER_AUDIT_CHECKPOINTS, **signed.model_dump()
        )
        return signed

    def _alone(self) -> bool:
        """Whether this is the one that collects; for the whole time, for what it has open is only its own."""
        if self._lock is not None:
            return True
        (self._into / CHAINS).mkdir(parents=True, exist_ok=True)
        lock = (self._into / "lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        _drop_torn(self._into / CHECKPOINTS)
        return True

    def _files(self) -> Iterator[tuple[str, Path]]:
        seen: set[str] = set()
        for folder in self._sources:
            own = (path for path in folder.glob("*/*.jsonl") if path.stem == path.parent.name)
            for path in sorted((*folder.glob("*.jsonl"), *own)):
                # Whoever can write there may make files without end, of any name, and pipes that nobody writes to.
                taken = path.stem in seen or len(seen) >= _MOST_FILES
                if taken or not _ROLE.fullmatch(path.stem) or not path.is_file():
                    continue
                seen.add(path.stem)
                yield path.stem, path

    def _tell(self, role: str, why: str) -> None:
        if self.harmed.get(role) != why:
            _log.error("an audit file does not follow what was collected of it", role=role, why=why)
        self.harmed[role] = why

    def _collect(self, role: str, path: Path) -> None:
        copy = self._into / CHAINS / f"{role}.jsonl"
        source = self._open.get(role)
        if source is None:
            source = self._open[role] = self._begin(path, copy)
        self._drain(source, copy)
        found = path.stat()
        if (found.st_dev, found.st_ino) != source.inode:  # moved away, and gone on with in a new file
            fresh = _opened(path, 0)
            try:
                self._drain(fresh, copy)
            except NotCollected:
                fresh.file.close()
                raise
            source.file.close()
            self._open[role] = fresh

    def _begin(self, path: Path, copy: Path) -> _Source:
        """Where the file goes on after what is in the copy."""
        _drop_after_last_record(copy)
        last = _last(copy)
        if last is None:
            return _opened(path, 0)
        offset = 0
        with path.open("rb") as lines:
            for number, line in enumerate(lines):
                record = parse_record(line.removesuffix(b"\n"))
                if number == 0 and record is not None and record.prev == last.hash:
                    return _opened(path, 0)
                offset += len(line)
                if record is not None and record.hash == last.hash:
                    return _opened(path, offset)
        raise NotCollected(f"event {last.seq}, which was collected, is no longer in it: cut, or written anew")

    def _drain(self, source: _Source, copy: Path) -> None:
        if os.fstat(source.file.fileno()).st_size < source.offset:
            raise NotCollected("it is shorter than what was collected of it: cut")
        source.file.seek(source.offset)
        data = source.file.read(_MOST_AT_ONCE)
        data = _up_to_last_record(data)
        if not data:
            return
        last = _last(copy)
        walk = Walk(Head(seq=last.seq, hash=last.hash) if last else _before(data), None)
        for number, line in enumerate(BytesIO(data), start=1):
            walk.take(number, line)
        if problems := walk.finish().problems:
            raise NotCollected(problems[0])
        _append(copy, data)
        source.offset += len(data)


@cache
def _gauge() -> Gauge:
    # Made at the first look: a gateway beside one that collects says nothing about it.
    return Gauge(
        names.METRIC_AUDIT_COLLECTED, "Whether all audit files follow what was collected of them, and that is signed."
    )


def chain_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each role's collected chain."""
    for path in sorted((folder / CHAINS).glob("*.jsonl")):
        yield path.stem, path


def checkpoints(folder: Path) -> Iterator[SignedCheckpoint]:
    """All that were signed, as they lie there.

    Raises:
        OSError: They cannot be read.
        CheckpointError: A line is none.
    """
    path = folder / CHECKPOINTS
    if not path.exists():
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield SignedCheckpoint.model_validate_json(line)
            except ValidationError as error:
                raise CheckpointError(f"{path.name}:{number} is no checkpoint; somebody changed it") from error


def last_checkpoint(folder: Path) -> SignedCheckpoint | None:
    """The newest one.

    Raises:
        OSError: They cannot be read.
        CheckpointError: A line is none.
    """
    found = None
    for found in checkpoints(folder):  # noqa: B007 - the last one is wanted
        pass
    return found


def _opened(path: Path, offset: int) -> _Source:
    file = path.open("rb")
    found = os.fstat(file.fileno())
    return _Source(file=file, inode=(found.st_dev, found.st_ino), offset=offset)


def _last(copy: Path) -> AuditRecord | None:
    if not copy.exists():
        return None
    with copy.open("rb") as file:
        return last_record(file.fileno(), os.fstat(file.fileno()).st_size)[0]


def _chain(copy: Path) -> Chain | None:
    with copy.open("rb") as file:
        first = next((record for line in file if (record := parse_record(line.removesuffix(b"\n")))), None)
    last = _last(copy)
    return Chain(first=first.seq, seq=last.seq, hash=last.hash) if first and last else None


def _up_to_last_record(data: bytes) -> bytes:
    """What is behind it is being written, or was torn: the next record says which."""
    end = data.rfind(b"\n") + 1
    while end:
        begin = data.rfind(b"\n", 0, end - 1) + 1
        if parse_record(data[begin : end - 1]) is not None:
            break
        end = begin
    return data[:end]


def _drop_after_last_record(copy: Path) -> None:
    """What a crash left of a copy's last write; its source has it still."""
    if copy.exists():
        with copy.open("rb+") as file:
            size = os.fstat(file.fileno()).st_size
            file.truncate(size - len(last_record(file.fileno(), size)[1]))


def _drop_torn(path: Path) -> None:
    """The end of a line that a crash cut."""
    if path.exists():
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


def _before(data: bytes) -> Head:
    """What the first event of all says that it follows: it may have come long before the collector did."""
    record = next((found for line in data.split(b"\n") if (found := parse_record(line))), None)
    return Head(seq=record.seq - 1, hash=record.prev) if record else Head(seq=0, hash=GENESIS)


def _append(path: Path, data: bytes) -> None:
    """All of it or nothing that counts: a line that was cut is no record, and what follows shows it."""
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
