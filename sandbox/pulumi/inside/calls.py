"""What both sides of the relay do with calls: serve them as bytes, pass them on, and let go when the run is stopped."""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar, cast

from sandbox.pulumi.inside import messages
from sandbox.pulumi.inside.messages import Channel, Context, Failed, Unary, aio, grpc

SOCKETS: Final = Path("/run/relay")
STOPPED: Final = "the run was stopped"
_PROGRAM_SECONDS: Final = 60
_POLL: Final = 0.02
_Done = TypeVar("_Done")


def handler(methods: Mapping[str, Unary]) -> object:
    """A server's methods; for every other one it says that there is none."""
    found = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}

    def service(_: object, details: messages.CallDetails) -> object:
        return found.get(details.method)

    return type("Handler", (grpc.GenericRpcHandler,), {"service": service})()


async def forward(
    channel: Channel, method: str, request: bytes, context: Context, *, clean: Callable[[str], str] = str
) -> bytes:
    """Pass a call on, and its failure back, with its words as `clean` leaves them."""
    try:
        return await channel.unary_unary(method)(request)
    except aio.AioRpcError as error:
        failed = cast("Failed", error)
        await context.abort(failed.code(), clean(failed.details() or ""), tuple(failed.trailing_metadata() or ()))
        raise


async def unless(interrupted: asyncio.Event, doing: Awaitable[_Done]) -> _Done | None:
    """What comes of it; None when the run is stopped before."""
    running = asyncio.ensure_future(doing)
    waiting = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        waiting.cancel()
        running.cancel()


async def socket_of(path: Path) -> int:
    """The program's socket, held open: what it puts there in its place later is not followed, nor is a link."""
    async with asyncio.timeout(_PROGRAM_SECONDS):
        while True:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
            except FileNotFoundError:
                await asyncio.sleep(_POLL)
                continue
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise ConnectionRefusedError(f"the program put something else than a socket at {path.name!r}")
            return descriptor
