"""The address of each compute: it stays while the compute sleeps, and whoever connects wakes it, as at Neon's proxy."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from typing import Final

from connectors.neon.twin.clusters import HOST
from connectors.neon.twin.postgres import PostgresFailed
from connectors.twins.problems import Problem

_CHUNK: Final = 65_536
_FREEBIND: Final = 15
"""`IP_FREEBIND` of Linux, which Python has no name for."""

Wake = Callable[[str], Awaitable[int]]


@dataclass
class _Address:
    servers: tuple[asyncio.Server, ...]
    live: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    @property
    def port(self) -> int:
        return int(self.servers[0].sockets[0].getsockname()[1])


class Computes:
    """All addresses of a twin, by the computes' ids.

    Args:
        wake: Has a compute run, and gives the port of its cluster.
        rested: Told of a compute to which nobody is connected any more.
        also: A second address of this machine, on which each listens at the same port.
    """

    def __init__(self, wake: Wake, rested: Callable[[str], object], *, also: IPv4Address | None = None) -> None:
        self._wake, self._rested, self._also = wake, rested, also
        self._addresses: dict[str, _Address] = {}

    async def port(self, endpoint: str) -> int:
        """Where a compute is reached; it listens there from the first time that somebody asks."""
        if endpoint not in self._addresses:
            servers = await self._listen(endpoint)
            if endpoint in self._addresses:  # somebody else asked at the same time
                for one in servers:
                    one.close()
            else:
                self._addresses[endpoint] = _Address(servers)
        return self._addresses[endpoint].port

    async def _listen(self, endpoint: str) -> tuple[asyncio.Server, ...]:
        serve = partial(self._serve, endpoint)
        server = await asyncio.start_server(serve, HOST, 0)
        if self._also is None:
            return (server,)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Of a container engine that may not run yet, and whose bridge has this address as soon as it does.
        listening.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((str(self._also), server.sockets[0].getsockname()[1]))
            return server, await asyncio.start_server(serve, sock=listening)
        except BaseException:
            listening.close()
            server.close()
            raise

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
            for one in address.servers:
                one.close()

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
