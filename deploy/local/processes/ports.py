"""Ports for the embedded environment: the usual one where it is free, any free one where it is taken.

A port that was handed out stays free until the child that it is for listens on it. Stacks that start side by side
would be handed the same one, and their health checks would answer for each other; so a port is also reserved by a
locked file, for as long as its environment's supervisor lives.

Nothing listens on it in between, so that it must be one that the kernel gives to nobody else meanwhile: below those
that it gives to whoever asks for any, as each connection does.
"""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

HOST = "127.0.0.1"
_ATTEMPTS: Final = 50
_LOWEST: Final = 20_000
_USUAL_RANGE: Final = 32_768
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def given_to_anybody_from() -> int:
    """The first port that the kernel gives to whoever asks for any."""
    try:
        return int(_RANGE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_RANGE


def _bind(port: int) -> socket.socket | None:
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        candidate.bind((HOST, port))
    except OSError:
        candidate.close()
        return None
    return candidate


class Ports:
    """Hands out ports that are free now, and none twice on this machine to this user."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"banksman-ports-{os.getuid()}"
        self._reserved: list[int] = []

    def take(self, preferred: int) -> int:
        """The preferred port, or a free one where another program or stack has it.

        Args:
            preferred: The usual port; 0 for any.
        """
        with ExitStack() as stack:
            below = range(_LOWEST, max(given_to_anybody_from(), _LOWEST + 1_000))
            for wanted in ([preferred] if preferred else []) + random.sample(below, _ATTEMPTS):
                bound = _bind(wanted)
                if bound is None:
                    continue
                stack.callback(bound.close)
                port: int = bound.getsockname()[1]
                if self._reserve(port):
                    return port
        raise OSError(f"no free port on {HOST}: close some programs and try again")

    def release(self) -> None:
        """Let go of every reservation; the end of the process does the same."""
        for descriptor in self._reserved:
            os.close(descriptor)
        self._reserved.clear()

    def _reserve(self, port: int) -> bool:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._reserved.append(descriptor)
        return True
