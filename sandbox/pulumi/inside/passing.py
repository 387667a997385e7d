"""Beside the user's code: passes a port on as a socket in the shared volume, and what is printed to the other side."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

SOCKETS: Final = Path("/run/relay")
ENGINE: Final = SOCKETS / "engine.sock"
PROGRAM: Final = Path("/workspace/program")
LIBRARIES: Final = "/workspace/libraries"
_OUTPUT: Final = SOCKETS / "output.sock"
_CHUNK: Final = 65536
_OUTPUT_SECONDS: Final = 60
_POLL: Final = 0.02


def to_port(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What a server does with each connection: join it with one to a port of this container."""

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))
        writer.close()
        other_writer.close()

    return passed_on


async def tell(output: asyncio.StreamReader, *, read: bytes = b"") -> None:
    """What is printed, after what was read of it, goes to the engine's side, where secrets are known and masked."""
    writer, data = await _output(), read or await output.read(_CHUNK)
    while data:
        if writer is not None and not writer.is_closing():
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
        data = await output.read(_CHUNK)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the one side ends; then the other is told so, and may still say the rest."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def _output() -> asyncio.StreamWriter | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_OUTPUT_SECONDS):
            while True:
                with contextlib.suppress(OSError):
                    return (await asyncio.open_unix_connection(str(_OUTPUT)))[1]
                await asyncio.sleep(_POLL)
    return None
