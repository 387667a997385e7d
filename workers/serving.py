"""Web applications inside a process that does other work too: bound before it starts, and ended with it."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Final, Never

import uvicorn
from starlette.applications import Starlette

from observability.setup import instrument_app

_GRACE: Final = 3
_HIGHEST_PORT: Final = 65535


class CannotListen(Exception):
    """The address cannot be had. The message says which, and what to do."""


class _Server(uvicorn.Server):
    """Leaves the signals to the process, which ends everything in its order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def bind(listen: str) -> socket.socket:
    """A socket at `host:port`; with port 0 a free one.

    Raises:
        CannotListen: It is no such address, or somebody else has it.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise CannotListen(f"{listen!r} is no address to listen at; write it as in 127.0.0.1:8320")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family)
    except OSError as error:
        raise CannotListen(f"{listen!r} cannot be listened at ({error}); free it, or set another address") from error


async def serve(app: Starlette, listening: socket.socket) -> Never:
    """Serve until it is cancelled, with what the application does at its own start and end.

    Requests under way then have three seconds.
    """
    instrument_app(app)
    server = _Server(uvicorn.Config(app, log_config=None, lifespan="auto", timeout_graceful_shutdown=_GRACE))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving
    raise AssertionError("a server ended that nobody ended")
