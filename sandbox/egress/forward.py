"""A relay with fixed targets: each of its ports leads to one address, and nothing that is sent can change that.

Started with pairs of arguments: a port to listen on, and `HOST:PORT` that it leads to.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

_CHUNK: Final = 65536
_CONNECT_SECONDS: Final = 10
_MOST: Final = 256
"""Connections at once, of all runs together."""
_MOST_OF_ONE: Final = 16
"""Connections at once of one run, which has one address: so that it uses up neither this relay nor what lies behind."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _leading_to(host: str, port: int, slots: asyncio.Semaphore, held: Counter[str]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run = str(writer.get_extra_info("peername")[0])
        if held[run] >= _MOST_OF_ONE:
            writer.close()
            return
        held[run] += 1
        try:
            async with slots:
                await _pass(host, port, reader, writer)
        finally:
            writer.close()
            held[run] -= 1

    return serve


async def _pass(host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            other_reader, other_writer = await asyncio.open_connection(host, port)
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


async def main(pairs: list[str]) -> None:
    """Listen for ever."""
    slots, held = asyncio.Semaphore(_MOST), Counter[str]()
    servers: list[asyncio.Server] = []
    for listen, target in zip(pairs[::2], pairs[1::2], strict=True):
        host, _, port = target.rpartition(":")
        served = _leading_to(host.strip("[]"), int(port), slots, held)
        servers.append(await asyncio.start_server(served, "0.0.0.0", int(listen)))  # noqa: S104 - the run's network only
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
