"""Where machines that serve a model dial in, and where the models worker asks them: no machine needs a way in.

Each connection of a machine, once admitted, waits as a *line*. Who asks takes one: the request goes through it to the
model server, the answer comes back, and the line is over. A machine reaches nothing by a line but whoever asks it.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from pydantic import ValidationError

from connectors.errors import ConnectorError
from connectors.served.hello import BEAT, GO, Hello, digest

_HELLO_WITHIN: Final = 10.0
_BEAT_EVERY: Final = 20.0
_MOST_STRANGERS: Final = 64
_MOST_LINES: Final = 32
_CHUNK: Final = 64 * 1024
_STATE: Final = "/-/state"
_HEALTHZ: Final = "/healthz"
_FIRST: Final = re.compile(r"(GET|POST) /([a-z][a-z0-9-]{0,40})(/v1/[A-Za-z0-9/._-]{1,200}|/-/state) HTTP/1\.1")
_HEALTH: Final = re.compile(r"GET /healthz HTTP/1\.[01]")
_OURS: Final = frozenset({"authorization", "connection", "host", "keep-alive", "proxy-authorization", "cookie"})
"""Headers that are the caller's and the relay's matter, and none of the machine's."""
_PROBE: Final = "x-banksman-probe"
_LOG: Final = logging.getLogger(__name__)


class Admissions(Protocol):
    """Knows which machine serves under which name, and who may ask it."""

    async def admit(self, name: str, *, ticket: str, secret: str) -> bool:
        """Whether the machine with these digests serves under this name now; the first with the ticket takes it.

        Raises:
            ConnectorError: It cannot be told now.
        """
        ...

    async def caller(self, name: str) -> str:
        """The digest of the key that may ask under this name; empty where nobody serves under it.

        Raises:
            ConnectorError: It cannot be told now.
        """
        ...


@dataclass(eq=False)
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    secret: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    watching: "asyncio.Task[None] | None" = None

    def end(self) -> None:
        self.over.set()
        self.writer.close()


@dataclass(eq=False)
class _Machine:
    """All lines under one name.

    Attributes:
        idle: Those that wait.
        lines: All.
        asked: Requests, but for those that only look whether it answers.
        used_at: When the last of them began or ended, or the machine came.
        secret: What the machine is known by.
    """

    idle: list[_Line] = field(default_factory=list[_Line])
    lines: set[_Line] = field(default_factory=set[_Line])
    asked: int = 0
    used_at: float | None = None
    secret: str = ""


class _Head(NamedTuple):
    method: str
    name: str
    path: str
    headers: list[tuple[str, str]]

    def value(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def for_machine(self) -> bytes:
        """The same without what is ours; one request, for the line is over after it."""
        kept = [f"{key}: {value}" for key, value in self.headers if key.lower() not in {*_OURS, _PROBE}]
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: model", "Connection: close", *kept]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Relay:
    """Both sides.

    Args:
        admissions: Says who is who.
        clock: Seconds, for how long nobody has asked.
    """

    def __init__(self, admissions: Admissions, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._admissions, self._now = admissions, clock
        self._machines: defaultdict[str, _Machine] = defaultdict(_Machine)
        self._strangers = 0

    # The machines' side.

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection of somebody who says that it is a machine, to its end."""
        try:
            if (hello := await self._welcomed(reader)) is not None:
                await self._wait_as_line(hello, reader, writer)
        except (OSError, ConnectorError) as error:
            _LOG.warning("a machine's line ended: %s", type(error).__name__)
        finally:
            writer.close()

    async def _welcomed(self, reader: asyncio.StreamReader) -> Hello | None:
        """Who it is; None for somebody who has no business here, and is told nothing."""
        if self._strangers >= _MOST_STRANGERS:
            return None
        self._strangers += 1
        try:
            async with asyncio.timeout(_HELLO_WITHIN):
                hello = Hello.model_validate_json(await reader.readuntil(b"\n"))
                if await self._admissions.admit(hello.name, ticket=digest(hello.ticket), secret=digest(hello.secret)):
                    return hello
            _LOG.warning("a machine is refused that says it serves %s", hello.name)
        except (TimeoutError, ValidationError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._strangers -= 1
        return None

    async def _wait_as_line(self, hello: Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        machine, line = self._machines[hello.name], _Line(reader, writer, digest(hello.secret))
        if len(machine.lines) >= _MOST_LINES:
            return
        if machine.secret != line.secret:
            machine.secret, machine.asked, machine.used_at = line.secret, 0, self._now()
        machine.lines.add(line)
        try:
            writer.write(b'{"admitted": true}\n')
            await writer.drain()
            line.watching = asyncio.create_task(_watch(line))
            machine.idle.append(line)
            await self._beat(machine, line)
        finally:
            machine.lines.discard(line)
            _without(machine.idle, line)
            if line.watching is not None:
                line.watching.cancel()

    async def _beat(self, machine: _Machine, line: _Line) -> None:
        while not line.over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_BEAT_EVERY):
                    await line.over.wait()
            if not line.over.is_set() and line in machine.idle:
                line.writer.write(BEAT)
                await line.writer.drain()

    async def review(self) -> None:
        """End the lines of every machine that serves no longer, also where somebody asks it right now."""
        for name, machine in list(self._machines.items()):
            for secret in {one.secret for one in machine.lines}:
                if not await self._admissions.admit(name, ticket="", secret=secret):
                    for line in [one for one in machine.lines if one.secret == secret]:
                        line.end()

    # The side of who asks.

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of somebody who asks a machine."""
        try:
            await self._answer(reader, writer)
        except _Refused as refused:
            _say(writer, refused.status, {"error": {"message": str(refused), "type": "relay", "code": None}})
        except ConnectorError:
            _say(writer, 503, {"error": {"message": "the relay cannot tell who may ask now", "type": "relay"}})
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await _head(reader)
        if head.path == _HEALTHZ:
            _say(writer, 200, {"status": "ok"})
            return
        await self._require_caller(head)
        machine = self._machines[head.name]
        if head.path == _STATE:
            _say(writer, 200, self._state(machine))
            return
        line = _next(machine)
        if line is None:
            raise _Refused(503, f"no machine serves {head.name!r} now")
        counted = not head.value(_PROBE)
        try:
            self._count(machine, counted, begins=True)
            line.writer.write(GO + head.for_machine())
            await _joined(line, reader, writer)
        finally:
            self._count(machine, counted)
            line.end()

    async def _require_caller(self, head: _Head) -> None:
        """Raises `_Refused` for somebody without the key, before a machine hears of it."""
        expected = await self._admissions.caller(head.name)
        scheme, _, key = head.value("authorization").partition(" ")
        if not expected:
            raise _Refused(503, f"no machine serves {head.name!r} now")
        if scheme.lower() != "bearer" or not hmac.compare_digest(digest(key), expected):
            raise _Refused(401, f"this key may not ask {head.name!r}")

    def _count(self, machine: _Machine, counted: bool, *, begins: bool = False) -> None:
        if counted:
            machine.asked += 1 if begins else 0
            machine.used_at = self._now()

    def _state(self, machine: _Machine) -> Mapping[str, object]:
        quiet = None if machine.used_at is None else self._now() - machine.used_at
        return {"lines": len(machine.lines), "asked": machine.asked, "quiet_seconds": quiet}


async def _watch(line: _Line) -> None:
    """A machine says nothing on a line that waits: whatever comes, even its end, ends it."""
    with contextlib.suppress(OSError):
        await line.reader.read(1)
    line.end()


def _next(machine: _Machine) -> _Line | None:
    """One that waits, and is watched no longer."""
    while machine.idle:
        line = machine.idle.pop(0)
        if line.watching is not None:
            line.watching.cancel()
        if not line.over.is_set() and not line.reader.at_eof():
            return line
    return None


def _without(lines: list[_Line], line: _Line) -> None:
    with contextlib.suppress(ValueError):
        lines.remove(line)


async def _head(reader: asyncio.StreamReader) -> _Head:
    """Raises `_Refused` where it is none of ours."""
    try:
        async with asyncio.timeout(_HELLO_WITHIN):
            told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise _Refused(400, "this is no request that the relay takes") from error
    first, *rest = told[:-4].split("\r\n")
    if _HEALTH.fullmatch(first):
        return _Head("GET", "", _HEALTHZ, [])
    found = _FIRST.fullmatch(first)
    if found is None or ".." in first or any(not re.fullmatch(r"[A-Za-z0-9-]+: ?[^\r\n\0]*", one) for one in rest):
        raise _Refused(404, "ask for /NAME/v1/…, or for /NAME/-/state")
    headers = [(key, value.strip()) for key, _, value in (one.partition(":") for one in rest)]
    return _Head(found[1], found[2], found[3], headers)


def _say(writer: asyncio.StreamWriter, status: int, told: Mapping[str, object]) -> None:
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    with contextlib.suppress(OSError):
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)


async def _joined(line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both directions, until one of them ends, or the machine serves no longer."""
    tasks = {
        asyncio.create_task(_pump(reader, line.writer)),
        asyncio.create_task(_pump(line.reader, writer)),
        asyncio.create_task(_ended(line)),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _ended(line: _Line) -> None:
    await line.over.wait()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
