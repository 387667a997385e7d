"""The small model's server as a process, while a block runs."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from deploy.local.small_model.found import CONTEXT, SmallModel
from deploy.local.tools import ToolUnavailableError

_STARTS: Final = 120.0
_ENDS: Final = 10.0
_SCHEME: Final = "http://"


@contextlib.asynccontextmanager
async def small_model_served(found: SmallModel, *, context: int = CONTEXT, most: int = 256) -> AsyncGenerator[str]:
    """Its address, without `/v1`, until the block ends; it ends with this process, too, however that ends.

    Args:
        found: The model and its server.
        context: Tokens that it takes.
        most: Tokens that it answers with at most, however many it is asked for.

    Raises:
        ToolUnavailableError: The server does not start on this machine.
    """
    process = await asyncio.create_subprocess_exec(
        *found.command(context=context, most=most),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield await _address(process)
    finally:
        await _end(process)


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        async with asyncio.timeout(_STARTS):
            told = (await process.stdout.readline()).decode(errors="replace").strip()
    except TimeoutError as error:
        raise ToolUnavailableError(f"the small language model's server did not start within {_STARTS:g} s") from error
    if not told.startswith(_SCHEME):
        raise ToolUnavailableError("the small language model's server ended before it listened")
    return told


async def _end(process: asyncio.subprocess.Process) -> None:
    """By its standard input; SIGKILL where it does not listen."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_ENDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
