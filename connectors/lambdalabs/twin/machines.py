"""The machines behind the twin's instances: each has an address of its own on this host, where its SSH greets.

A machine greets by the user data that it was launched with, as a real one does after its first boot; nobody can log in.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_HOST: Final = "127.0.0.1"
_SSH: Final = "SSH-2.0-OpenSSH_8.9p1"

Greeting = Callable[[], str | None]
"""What a machine says after SSH's own words; None where nothing answers."""


@dataclass
class Machines:
    """All that run, by their instances' ids."""

    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])

    def start(self, instance: str, greeting: Greeting) -> str:
        """Have one listen.

        Returns:
            Its address: host and port, for all share one host.
        """
        listening = socket.create_server((_HOST, 0))
        address, port = listening.getsockname()
        serving = asyncio.get_running_loop().create_task(_serve(listening, greeting))
        serving.add_done_callback(lambda _: listening.close())
        self._running[instance] = serving
        return f"{address}:{port}"

    def stop(self, instance: str) -> None:
        """End it, and its address."""
        if (machine := self._running.pop(instance, None)) is not None:
            machine.cancel()

    def close(self) -> None:
        """End them all."""
        for instance in list(self._running):
            self.stop(instance)


async def _serve(listening: socket.socket, greeting: Greeting) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if (said := greeting()) is not None:
                writer.write(f"{_SSH} {said}".strip().encode() + b"\r\n")
                await writer.drain()
            writer.close()

    with contextlib.suppress(asyncio.CancelledError):
        server = await asyncio.start_server(greet, sock=listening)
        async with server:
            await server.serve_forever()
