"""A process of ours that stands between runs and the world: in a container as shut as any run's, read line by line."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

from sandbox.docker.container import Container, Containers
from sandbox.egress.record import Record
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.wire import Order

_Seen = TypeVar("_Seen")

_START_SECONDS: Final = 30
_LONGEST_LINE: Final = 65536
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Program:
    """What runs in it.

    Attributes:
        name: The container's.
        config: The container's configuration.
        order: The program and its files.
        listening: What stands in a line that says it is ready.
    """

    name: str
    config: Mapping[str, object]
    order: Order
    listening: bytes


class Service:
    """One that runs, until it is closed.

    Attributes:
        name: Its container's.
    """

    def __init__(self, containers: Containers, container: Container, on_line: Callable[[bytes], None]) -> None:
        self.name = container.name
        self._containers, self._container, self._on_line = containers, container, on_line
        self._listening = asyncio.Event()
        self._rest = {b"O": b"", b"E": b""}
        self._word = b""
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, containers: Containers, program: Program, on_line: Callable[[bytes], None]) -> Self:
        """Start it, and wait until it listens.

        Raises:
            SandboxError: It does not start.
        """
        container = await containers.start(program.name, program.config)
        service = cls(containers, container, on_line)
        try:
            await container.attachment.send(program.order)
            await service._ready(program.listening)
        except BaseException:
            await service.close()
            raise
        return service

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._reading is not None and not self._reading.done()

    async def close(self) -> None:
        """End it."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._containers.remove(self._container)

    async def _ready(self, word: bytes) -> None:
        self._word = word
        self._reading = asyncio.create_task(self._read())
        listening = asyncio.create_task(self._listening.wait())
        try:
            await asyncio.wait({listening, self._reading}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
        if not self._listening.is_set():
            said = (self._rest[b"E"] or self._rest[b"O"])[-200:]
            raise SandboxUnavailable(f"{self.name!r} did not start: {said!r}")

    async def _read(self) -> None:
        why = ""
        try:
            while (frame := await self._container.attachment.frame()) is not None:
                kind, body = frame
                if kind in self._rest:
                    self._lines(kind, body)
        except SandboxError as error:
            why = str(error)
        said = (self._rest[b"E"] or self._rest[b"O"])[-200:].decode(errors="replace")
        _log.warning("a service of the sandbox has ended: %s", why or said, extra={"container": self.name})

    def _lines(self, kind: bytes, body: bytes) -> None:
        *lines, rest = (self._rest[kind] + body).split(b"\n")
        self._rest[kind] = rest[-_LONGEST_LINE:]
        for line in lines:
            if self._word in line:
                self._listening.set()
            self._on_line(line.strip())


@dataclass(frozen=True)
class Watched(Generic[_Seen]):
    """A service, and what it has seen of each run's network."""

    service: Service
    record: Record[_Seen]
