"""The lines that processes write to their files, on to a collector: what Docker's log driver does in Compose."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final

from opentelemetry._logs import Logger, LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from observability.names import SERVICE_NAMESPACE

_POLL: Final = 0.5
_LONGEST: Final = 256 * 1024
"""Bytes of one line; what is longer is cut, as Docker cuts it."""
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


def send_lines(folder: Path, to: str, stopped: Event) -> None:
    """Send each new line as a log record, until it is stopped; what a collector that is away does not take is lost.

    Args:
        folder: With the log files.
        to: Base URL of an OTLP receiver.
        stopped: Set from elsewhere.
    """
    provider = LoggerProvider(
        resource=Resource.create({"service.namespace": SERVICE_NAMESPACE}), shutdown_on_exit=False
    )
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint=f"{to.rstrip('/')}/v1/logs")))
    files, logger = Files(folder), provider.get_logger(__name__)
    try:
        while not stopped.wait(_POLL):
            _send(files, logger)
        _send(files, logger)
    finally:
        files.close()
        provider.shutdown()


def _send(files: Files, logger: Logger) -> None:
    for service, line in files.new_lines():
        logger.emit(LogRecord(observed_timestamp=time.time_ns(), body=line, attributes={_SERVICE: service}))
