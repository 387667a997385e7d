"""A relay with fixed targets: each of its ports leads to one address, and nothing that is sent can change that.

Started with pairs of arguments: a port to listen on, and `HOST:PORT` that it leads to.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

_CHUNK: Final = 65536
_CONNECT_SECONDS: Final = 10
_MOST: Final = 256
"""Connections at once, of all runs together."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _leading_to(host: str, port: int, slots: asyncio.Semaphore) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with slots:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    other_reader, other_writer = await asyncio.open_connection(host, port)
            except (OSError, TimeoutError):
                writer.close()
                return
            await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
            writer.close()
            other_writer.close()

    return serve


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
    slots = asyncio.Semaphore(_MOST)
    servers: list[asyncio.Server] = []
    for listen, target in zip(pairs[::2], pairs[1::2], strict=True):
        host, _, port = target.rpartition(":")
        served = _leading_to(host.strip("[]"), int(port), slots)
        servers.append(await asyncio.start_server(served, "0.0.0.0", int(listen)))  # noqa: S104 - the run's network only
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
