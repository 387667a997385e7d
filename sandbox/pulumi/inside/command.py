"""One command of Pulumi's CLI: started, listened to, and stopped as a person would stop it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from sandbox.pulumi.inside.order import Step, StepReport
from sandbox.pulumi.inside.scrubber import Scrubber

_CHUNK: Final = 65536
_SAID: Final = 32 * 1024
_MOST_EVENTS: Final = 24 * 1024 * 1024
"""Bytes of the event log that are kept."""
_HARD_SECONDS: Final = 10
_PROGRESS: Final = {"resourcePreEvent": "begun", "resOutputsEvent": "done", "resOpFailedEvent": "failed"}


class Stopping:
    """Whether the run is to end, and since when."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.why = ""

    def ask(self, why: str) -> None:
        """End the run; the first reason counts."""
        self.why = self.why or why
        self.asked.set()


class Events:
    """The event log of one command: read as it grows, without secrets, kept, and its resources told to the host.

    Args:
        fifo: Where the CLI writes.
        kept: Where the log goes.
        scrubber: Knows the secrets.

    Attributes:
        changes: What the last summary counts.
    """

    def __init__(self, fifo: Path, kept: Path, scrubber: Scrubber) -> None:
        os.mkfifo(fifo, 0o600)
        self._file, self._left = kept.open("wb"), _MOST_EVENTS
        self._scrubber, self._rest = scrubber, b""
        self.changes: dict[str, int] = {}
        # Open for both, so that there is no end before the CLI has begun, and none is missed after it has ended.
        self._descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def close(self) -> None:
        """Read what is left."""
        while self._read():
            pass
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._file.close()

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        return bool(data)

    def _line(self, line: bytes) -> None:
        clean = self._scrubber.clean(line.decode(errors="replace"))
        encoded = clean.encode() + b"\n"
        self._left -= len(encoded)
        if self._left >= 0:
            self._file.write(encoded)
        with contextlib.suppress(ValueError, AttributeError, TypeError, KeyError):
            event: object = json.loads(clean)
            self._tell(cast("dict[str, dict[str, dict[str, str]]]", event))
            self._count(cast("dict[str, dict[str, dict[str, int]]]", event))

    def _count(self, event: dict[str, dict[str, dict[str, int]]]) -> None:
        if "summaryEvent" in event:
            self.changes = dict(event["summaryEvent"].get("resourceChanges") or {})

    def _tell(self, event: dict[str, dict[str, dict[str, str]]]) -> None:
        for name, what in _PROGRESS.items():
            if name in event:
                about = event[name]["metadata"]
                told = {"what": what, "op": about["op"][:40], "urn": about["urn"][:1000], "type": about["type"][:300]}
                planning = bool(event[name].get("planning"))
                sys.stdout.write(json.dumps({**told, "planning": planning}) + "\n")
                sys.stdout.flush()


class Command:
    """Runs steps.

    Args:
        environment: Of the CLI.
        folder: Where it runs.
        scrubber: Knows the secrets.
        stopping: Ends the one that runs.
        stop_seconds: Between asking the CLI to stop, asking again, and killing it.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        folder: Path,
        scrubber: Scrubber,
        *,
        stopping: Stopping,
        stop_seconds: float,
    ) -> None:
        self._environment, self._folder, self._scrubber = dict(environment), folder, scrubber
        self._stopping, self._stop_seconds = stopping, stop_seconds

    async def run(self, step: Step, argv: list[str], events: Events | None) -> StepReport:
        """To its end."""
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            "/usr/local/bin/pulumi",
            *argv,
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        kept = Path("/workspace") / step["keep"] if step["keep"] else None
        watching = asyncio.create_task(self._watch(process, stoppable=not step["always"]))
        out, error = await asyncio.gather(_read(process.stdout, whole=kept is not None), _read(process.stderr))
        code = await process.wait()
        watching.cancel()
        if kept is not None:
            kept.write_bytes(out)
            out = b""
        if events is not None:
            events.close()
        return {
            "name": step["name"],
            "exit_code": code,
            "seconds": time.monotonic() - started,
            "said": self._scrubber.clean((out + error).decode(errors="replace"))[-_SAID:],
            "changes": events.changes if events is not None else {},
        }

    async def _watch(self, process: asyncio.subprocess.Process, *, stoppable: bool) -> None:
        """SIGINT ends it after what is under way; the second one at once; the kill leaves the stack locked."""
        if not stoppable:
            return
        await self._stopping.asked.wait()
        for number, seconds in ((signal.SIGINT, self._stop_seconds), (signal.SIGINT, _HARD_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            await asyncio.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _read(stream: asyncio.StreamReader | None, *, whole: bool = False) -> bytes:
    kept = bytearray()
    while stream is not None and (data := await stream.read(_CHUNK)):
        kept += data
        if not whole:
            del kept[: max(len(kept) - 2 * _SAID, 0)]
    return bytes(kept)
