"""A program beside a service in its container: the engine's `exec`, with its standard streams attached."""

import asyncio
import json
import struct
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from sandbox.docker.engine import Engine
from sandbox.errors import SandboxUnavailable

_DOCKER_HEADER: Final = struct.Struct(">BxxxI")
_STDOUT: Final = 1
_OPEN_SECONDS: Final = 30


async def attach(
    engine: Engine, container: str, code: str, arguments: Sequence[str]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Start it, and attach to it. Who closes the writer ends its standard input.

    Args:
        engine: Of the container.
        container: Which one.
        code: In Python, with nothing but its standard library.
        arguments: Of it.

    Raises:
        SandboxError: The engine refuses, or is gone.
    """
    argv = ["/usr/bin/python3", "-I", "-S", "-c", code, *arguments]
    made = await engine.call(engine.api.exec_create, container, argv, stdin=True)
    body = json.dumps({"Detach": False, "Tty": False})
    request = (
        f"POST /v1.41/exec/{made['Id']}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    try:
        reader, writer = await asyncio.open_unix_connection(engine.socket_path)
        async with asyncio.timeout(_OPEN_SECONDS):
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        raise SandboxUnavailable(f"no line into the container: {type(error).__name__}") from error
    if not head.startswith(b"HTTP/1.1 101"):
        writer.close()
        raise SandboxUnavailable(f"the engine opens no line into the container: {head.splitlines()[0][:80]!r}")
    return reader, writer


async def said(reader: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    """What it writes to its standard output, part by part, until it ends."""
    try:
        while True:
            source, size = _DOCKER_HEADER.unpack(await reader.readexactly(_DOCKER_HEADER.size))
            part = await reader.readexactly(size)
            if source == _STDOUT:
                yield part
    except (asyncio.IncompleteReadError, OSError):
        return
