"""The address of each compute: it stays while the compute sleeps, and whoever connects wakes it, as at Neon's proxy."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from connectors.neon.twin.clusters import HOST
from connectors.neon.twin.postgres import PostgresFailed
from connectors.twins.problems import Problem

_CHUNK: Final = 65_536

Wake = Callable[[str], Awaitable[int]]


@dataclass
class _Address:
    server: asyncio.Server
    live: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @property
    def port(self) -> int:
        return int(self.server.sockets[0].getsockname()[1])


class Computes:
    """All addresses of a twin, by the computes' ids.

    Args:
        wake: Has a compute run, and gives the port of its cluster.
        rested: Told of a compute to which nobody is connected any more.
    """

    def __init__(self, wake: Wake, rested: Callable[[str], object]) -> None:
        self._wake, self._rested = wake, rested
        self._addresses: dict[str, _Address] = {}

    async def port(self, endpoint: str) -> int:
        """Where a compute is reached; it listens there from the first time that somebody asks."""
        if endpoint not in self._addresses:
            server = await asyncio.start_server(partial(self._serve, endpoint), HOST, 0)
            if endpoint in self._addresses:  # somebody else asked at the same time
                server.close()
            else:
                self._addresses[endpoint] = _Address(server)
        return self._addresses[endpoint].port

    def connected(self, endpoint: str) -> int:
        """How many connections it has."""
        return len(self._addresses[endpoint].live) if endpoint in self._addresses else 0

    def drop(self, endpoint: str) -> None:
        """Cut them off."""
        if endpoint in self._addresses:
            for one in set(self._addresses[endpoint].live):
                one.close()

    def forget(self, endpoint: str) -> None:
        """The compute is gone, and its address with it."""
        self.drop(endpoint)
        if (address := self._addresses.pop(endpoint, None)) is not None:
            address.server.close()

    def close(self) -> None:
        """Forget them all."""
        for one in list(self._addresses):
            self.forget(one)

    async def _serve(self, endpoint: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the twin ends; asyncio tells of a cancelled server's task
            await self._pass_on(endpoint, reader, writer)

    async def _pass_on(self, endpoint: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = self._addresses[endpoint]
        address.live.add(writer)
        try:
            port = await self._wake(endpoint)
            inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
        except (OSError, PostgresFailed, Problem):
            await _end(writer)
        else:
            address.live.add(inner_writer)
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
            address.live.discard(inner_writer)
        finally:
            address.live.discard(writer)
        if not address.live:
            self._rested(endpoint)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
    await _end(sink)


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
