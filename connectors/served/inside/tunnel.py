"""Keeps lines from a machine to the relay, and answers what comes on them by the model server beside it.

    python3 tunnel.py CONFIGURATION STATE

A line is one TLS connection that this end opens. It says who it is, waits, and is then one connection to the model
server's port on this machine: the relay can reach nothing else here. After that it is closed and another one opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import ssl
import sys
from pathlib import Path
from typing import Any

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GO, BEAT = b"\x01", b"\x00"
SILENT = 60.0
"""Seconds without a beat after which a line is taken for dead."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
CHUNK = 65536


def kept_secret(state: str) -> str:
    """What this machine is known by from its first line on: made here, and nowhere else in the clear."""
    path, draft = Path(state) / "secret", Path(state) / "secret.new"
    if path.exists():
        return path.read_text()
    made = secrets.token_hex(32)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(made)
    draft.replace(path)
    return made


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, to its end."""
    with contextlib.suppress(OSError):
        while True:
            chunk = await reader.read(CHUNK)
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()


async def joined(one: Line, other: Line) -> None:
    """Both directions, until one of them ends."""
    tasks = [asyncio.ensure_future(pump(one[0], other[1])), asyncio.ensure_future(pump(other[0], one[1]))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def called(reader: asyncio.StreamReader) -> bool:
    """Whether somebody wants to ask; not, where the line is of no use any more."""
    while True:
        told = await asyncio.wait_for(reader.read(1), SILENT)
        if told != BEAT:
            return told == GO


async def serve(line: Line, port: int) -> None:
    """One connection to the model server; where that is not up, the line ends, and whoever asked is told."""
    with contextlib.suppress(OSError):
        local = await asyncio.open_connection("127.0.0.1", port)
        try:
            await joined(line, local)
        finally:
            local[1].close()


async def keep_line(told: dict[str, Any], secret: str, context: ssl.SSLContext) -> None:
    """One line after the other, for good."""
    pause = FIRST_PAUSE
    hello = {"version": 1, "name": told["name"], "ticket": told["ticket"], "secret": secret}
    while True:
        with contextlib.suppress(OSError, ValueError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            line = await asyncio.wait_for(
                asyncio.open_connection(told["host"], told["relay_port"], ssl=context, server_hostname=told["host"]), 20
            )
            try:
                line[1].write(json.dumps(hello).encode() + b"\n")
                if json.loads(await asyncio.wait_for(line[0].readline(), 20)).get("admitted") is True:
                    pause = FIRST_PAUSE
                    if await called(line[0]):
                        await serve(line, told["port"])
                        continue
            finally:
                line[1].close()
        await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads machines, hides nothing
        pause = min(2 * pause, LONGEST_PAUSE)


async def main(configuration: str, state: str) -> None:
    """All lines."""
    told = json.loads(await asyncio.to_thread(Path(configuration).read_text))
    context = ssl.create_default_context(cadata=told.get("authority") or None)
    secret = kept_secret(state)
    await asyncio.gather(*(keep_line(told, secret, context) for _ in range(told["lines"])))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
