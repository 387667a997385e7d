"""The lines that processes write to their files, on to a collector: what Docker's log driver does in Compose."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final

from opentelemetry._logs import Logger, LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource

from observability.lost import Room
from observability.names import SERVICE_NAMESPACE

_POLL: Final = 0.5
_ROOM_POLL: Final = 0.05
_LONGEST: Final = 256 * 1024
"""Bytes of one line; what is longer is cut, as Docker cuts it."""
_MOST: Final = 512
"""Lines read and not sent. What is not read waits in its file."""
_BATCH: Final = 32
"""Lines of one request: the longest of them together are less than the collector takes at a time."""
_SERVICE: Final = "service.name"


class Files:
    """Every log file of a folder, read on from where it is: lines that were there before are not told again.

    Args:
        folder: With one `NAME.log` for each process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[Path, BinaryIO] = {}
        self._begun: dict[Path, bytes] = {}
        self._first = True

    def new_lines(self) -> Iterator[tuple[str, str]]:
        """What has come since the last time, whole lines: whose, and which."""
        for path in sorted(self._folder.glob("*.log")):
            yield from ((path.stem, line.decode("utf-8", "replace")) for line in self._of(path))
        self._first = False

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()

    def _of(self, path: Path) -> Iterator[bytes]:
        file = self._open.get(path)
        if file is None:
            file = self._open[path] = path.open("rb")
            if self._first:
                file.seek(0, 2)
        while read := file.readline(_LONGEST):
            line = self._begun.pop(path, b"") + read
            if line.endswith(b"\n") or len(line) >= _LONGEST:
                if text := line[:_LONGEST].rstrip():
                    yield text
            else:
                self._begun[path] = line


class _Leaving(LogRecordExporter):
    """Tells a room what has left it, and how."""

    def __init__(self, inner: LogRecordExporter, room: Room) -> None:
        self._inner, self._room = inner, room

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        taken = False
        try:
            result = self._inner.export(batch)
            taken = result is LogRecordExportResult.SUCCESS
            return result
        finally:
            self._room.leave(len(batch), taken=taken)

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def send_lines(folder: Path, to: str, stopped: Event) -> None:
    """Send each new line as a log record, until it is stopped.

    While a collector is slow, lines wait in their files. What one that is away does not take within seconds is lost and
    counted.

    Args:
        folder: With the log files.
        to: Base URL of an OTLP receiver.
        stopped: Set from elsewhere.
    """
    provider = LoggerProvider(
        resource=Resource.create({"service.namespace": SERVICE_NAMESPACE}), shutdown_on_exit=False
    )
    exporter, room = OTLPLogExporter(endpoint=f"{to.rstrip('/')}/v1/logs"), Room("lines", most=_MOST)
    provider.add_log_record_processor(
        BatchLogRecordProcessor(_Leaving(exporter, room), max_queue_size=2 * _MOST, max_export_batch_size=_BATCH)
    )
    files, logger = Files(folder), provider.get_logger(__name__)
    try:
        while not stopped.wait(_POLL):
            _send(files, logger, room, stopped)
        _send(files, logger, room, stopped)
    finally:
        files.close()
        provider.shutdown()


def _send(files: Files, logger: Logger, room: Room, stopped: Event) -> None:
    for service, line in files.new_lines():
        while room.waiting >= room.most and not stopped.wait(_ROOM_POLL):
            pass
        if room.enter():
            logger.emit(LogRecord(observed_timestamp=time.time_ns(), body=line, attributes={_SERVICE: service}))
