"""A relay with fixed targets: each of its ports leads to one address, and nothing that is sent can change that.

Started with pairs of arguments: a port to listen on, and `HOST:PORT` that it leads to. Where a file `closed` lies
beside it, no host leads into the networks of its lines: the address that was looked up and found to be none of them
is the one that is connected to.
"""

import asyncio
import ipaddress
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

_CHUNK: Final = 65536
_CONNECT_SECONDS: Final = 10
_MOST: Final = 256
"""Connections at once, of all runs together."""
_MOST_OF_ONE: Final = 16
"""Connections at once of one run, which has one address: so that it uses up neither this relay nor what lies behind."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


async def _outside(host: str, port: int, closed: Networks) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a host of which every address is outside of these networks.

    Raises:
        OSError: One is inside, or there is none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    for address in addresses:
        if any(ipaddress.ip_address(address) in network for network in closed):
            sys.stdout.write(f"refused: the target is found at {address}\n")
            sys.stdout.flush()
            raise OSError("the target leads inside")
    return await asyncio.open_connection(addresses[0], port)


def _leading_to(host: str, port: int, slots: asyncio.Semaphore, held: Counter[str]) -> Serve:
    return _serving(partial(asyncio.open_connection, host, port), slots, held)


def _serving(connect: Connect, slots: asyncio.Semaphore, held: Counter[str]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run = str(writer.get_extra_info("peername")[0])
        if held[run] >= _MOST_OF_ONE:
            writer.close()
            return
        held[run] += 1
        try:
            async with slots:
                await _pass(connect, reader, writer)
        finally:
            writer.close()
            held[run] -= 1

    return serve


async def _pass(connect: Connect, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            other_reader, other_writer = await connect()
    except (OSError, TimeoutError):
        return
    try:
        await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
    finally:
        other_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the one side ends; then the other is told so, and may still say the rest."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


def _closed() -> Networks:
    try:
        lines = Path("closed").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return ()
    return tuple(map(ipaddress.ip_network, lines))


async def main(pairs: list[str]) -> None:
    """Listen for ever."""
    closed = _closed()
    slots, held = asyncio.Semaphore(_MOST), Counter[str]()
    servers: list[asyncio.Server] = []
    for listen, target in zip(pairs[::2], pairs[1::2], strict=True):
        host, _, port = target.rpartition(":")
        to = (host.strip("[]"), int(port))
        served = _serving(partial(_outside, *to, closed), slots, held) if closed else _leading_to(*to, slots, held)
        servers.append(await asyncio.start_server(served, "0.0.0.0", int(listen)))  # noqa: S104 - the run's network only
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
