"""What a command prints, while it runs: lines in the log, the newest in the heartbeat, and secrets in neither."""

import codecs
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from observability.names import LOG_STREAM, SERVICE_SANDBOX_OUTPUT
from sandbox.protocol import StreamName

_MASK: Final = "[secret]"
_SHORTEST: Final = 4  # masking shorter ones would hide half of the output and protect nothing
_MOST_LINES: Final = 500
_LONGEST_LINE: Final = 400
_log = structlog.get_logger("banksman.sandbox")


def masked(text: str, secrets: Sequence[bytes]) -> str:
    """The text without these secrets, nor any line of them."""
    for secret in sorted(_parts(secrets), key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def _parts(secrets: Sequence[bytes]) -> set[str]:
    whole = {secret.decode(errors="replace").strip() for secret in secrets}
    lines = {line.strip() for text in whole for line in text.splitlines()}
    return {part for part in whole | lines if len(part) >= _SHORTEST}


class LiveOutput:
    """Follows one run.

    Args:
        secrets: What must not be shown.
        beat: Called with the progress: seconds, bytes and the newest line. Temporal sends as many as are of use.
    """

    def __init__(self, secrets: Sequence[bytes], *, beat: Callable[[object], None]) -> None:
        self._secrets = secrets
        self._beat = beat
        self._began = time.monotonic()
        self._bytes = 0
        self._lines = 0
        self._decoders: dict[StreamName, codecs.IncrementalDecoder] = {}
        self._rest: dict[StreamName, str] = {}

    def take(self, stream: StreamName, data: bytes) -> None:
        """One more piece of an output."""
        self._bytes += len(data)
        decoder = self._decoders.setdefault(stream, codecs.getincrementaldecoder("utf-8")("replace"))
        *lines, rest = (self._rest.get(stream, "") + decoder.decode(data)).split("\n")
        # A line without an end is not kept for ever; its pieces are lines of their own.
        self._rest[stream] = rest[-_LONGEST_LINE * 4 :]
        for line in lines:
            self._line(stream, line)

    def end(self) -> None:
        """Nothing more comes: what had no end of line is a line."""
        for stream, rest in self._rest.items():
            if rest:
                self._line(stream, rest)
        self._rest.clear()

    def _line(self, stream: StreamName, line: str) -> None:
        shown = masked(line, self._secrets)[:_LONGEST_LINE]
        self._beat({"seconds": round(time.monotonic() - self._began, 1), "bytes": self._bytes, "line": shown})
        self._lines += 1
        if self._lines <= _MOST_LINES:
            _log.info("output", stream=stream, line=shown, **{LOG_STREAM: SERVICE_SANDBOX_OUTPUT})
        elif self._lines == _MOST_LINES + 1:
            told = "more output is not logged; the result has its head and tail"
            _log.info(told, lines=_MOST_LINES, **{LOG_STREAM: SERVICE_SANDBOX_OUTPUT})
