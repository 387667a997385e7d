"""Beside the user's program: runs its policy packs, each in a process of its own for as long as the engine wants it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Final, cast

from sandbox.pulumi.inside.order import PackAnswer, PackOrder
from sandbox.pulumi.inside.passing import ENGINE, LIBRARIES, PROGRAM, SOCKETS, tell, to_port

PACKS: Final = SOCKETS / "packs.sock"
_TOLD: Final = 8_000
_LONGEST: Final = 4 * 1024 * 1024
"""Bytes of an order, which holds the stack's configuration."""


async def serve_packs() -> asyncio.Server:
    """Wait for orders; each connection is one pack, and its end is the pack's."""
    return await asyncio.start_unix_server(_ordered, str(PACKS), limit=_LONGEST)


async def _ordered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        order = cast("PackOrder", json.loads(await reader.readline()))
        process = await _begin(order)
    except (OSError, ValueError, LookupError, TypeError) as error:  # there is no such folder; or the program asks here
        await _answer(writer, {"error": str(error)})
        writer.close()
        return
    ending = asyncio.create_task(_end(reader, process))
    try:
        await _serve(process, order, writer)
        await ending
    finally:
        ending.cancel()
        writer.close()


async def _begin(order: PackOrder) -> asyncio.subprocess.Process:
    own = os.environ  # noqa: TID251 - the container's own, made by the sandbox; no setting of the worker's
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-u", "-m", "pulumi.policy", f"unix:{ENGINE}", "."),
        cwd=PROGRAM / order["folder"],
        env={**own, "PYTHONPATH": LIBRARIES, **order["environment"]},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )


async def _serve(process: asyncio.subprocess.Process, order: PackOrder, writer: asyncio.StreamWriter) -> None:
    """Until it ends: its port as a socket, once it has said it, and what it prints beside."""
    output = cast("asyncio.StreamReader", process.stdout)
    port, said = await _port(output)
    if port is None:
        await _answer(writer, {"error": said.decode(errors="replace") or "it ended without a word"})
        return
    socket = SOCKETS / order["socket"]
    async with await asyncio.start_unix_server(to_port(port), str(socket)):
        await _answer(writer, {"error": ""})
        await tell(output, read=said)
        await process.wait()
    socket.unlink(missing_ok=True)


async def _port(output: asyncio.StreamReader) -> tuple[int | None, bytes]:
    """The first line that is a number, and the end of what came before it."""
    said = b""
    with contextlib.suppress(ValueError):  # a line without end
        while line := await output.readline():
            if line.strip().isdigit():
                return int(line), said
            said = (said + line)[-_TOLD:]
    return None, said


async def _answer(writer: asyncio.StreamWriter, answer: PackAnswer) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


async def _end(reader: asyncio.StreamReader, process: asyncio.subprocess.Process) -> None:
    """When the engine's side lets go, the pack goes with all that it has begun."""
    await reader.read()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
