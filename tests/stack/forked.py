"""The `banksman` command without its start: a process that has imported all of it forks one for each call.

Python's start and the imports are nine tenths of what a command costs, and these tests run some two hundred. What is
run is `workers.cli.main` in a process of its own, with the arguments and the environment of the call, to its own exit
code. Tests of the start itself run the installed script.
"""

import array
import contextlib
import gc
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

from pydantic import BaseModel

ROOT: Final = Path(__file__).parents[2]
_LARGEST: Final = 1 << 17
_OUTPUTS: Final = 3
"""Standard output, standard error, and where the process id and the exit code go."""
_LOADED: Final = (
    *(f"workers.commands.{name}" for name in ("approvals", "audit", "connection", "goals", "status", "up", "worker")),
    *(
        "observability.temporal_tracing",
        "observability.tracing",
        "temporalio.runtime",
        "hitl.policy.file",
        "rich.progress",
        "rich.status",
    ),
)


class Call(BaseModel):
    """What to run; its outputs come with it, as file descriptors."""

    argv: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Forking:
    """The process that forks.

    Attributes:
        calls: Takes a call and where its outputs go, in one message.
        process: Ends when `calls` is closed.
    """

    calls: socket.socket
    process: "subprocess.Popen[bytes]"


@cache
def _forking(columns: str) -> Forking:
    """Started at the first call; consoles read their width once, when they are imported."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()", str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": columns, "NO_COLOR": "1"},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    ours.recv(1)  # from here on, nobody waits for the imports
    return Forking(ours, process)


def run(
    script: Path, arguments: Sequence[str], *, environment: Mapping[str, str], seconds: float
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end, as `subprocess.run` does.

    Args:
        script: What the command takes itself for.
        arguments: Of the command.
        environment: The whole environment.
        seconds: After which it is killed.

    Raises:
        subprocess.TimeoutExpired: It did not end in time.
    """
    command = [str(script), *arguments]
    readers: dict[int, bytearray] = {}
    writers: list[int] = []
    for _ in range(_OUTPUTS):
        reader, writer = os.pipe()
        readers[reader] = bytearray()
        writers.append(writer)
    try:
        call = Call(argv=command, environment=dict(environment)).model_dump_json().encode()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", writers))
        _forking(environment["COLUMNS"]).calls.sendmsg([call], [rights])
    finally:
        _close(*writers)
    out, err, told = readers.values()
    try:
        told += os.read([*readers][-1], _LARGEST)  # the process id, and what follows if it follows at once
        if not _read(readers, until=time.monotonic() + seconds):
            os.kill(int(told.split()[0]), signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, seconds, bytes(out), bytes(err))
    finally:
        _close(*readers)
    return subprocess.CompletedProcess(command, int(told.split()[1]), out.decode(), err.decode())


def _read(readers: dict[int, bytearray], *, until: float) -> bool:
    """Everything until nobody writes any more; False where somebody still does at that time."""
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ)
        while selector.get_map():
            if time.monotonic() > until:
                return False
            for key, _ in selector.select(until - time.monotonic()):
                if read := os.read(key.fd, _LARGEST):
                    readers[key.fd] += read
                else:
                    selector.unregister(key.fd)
    return True


def fork_for(calls: socket.socket) -> None:
    """Fork a command for each call until there can be no more; returns in the child, as the command that it is.

    Raises:
        SystemExit: There will be no more calls.
    """
    running: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(calls, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    _tell_end(key.fd, *running.pop(key.fd))
                    continue
                text, outputs, _, _ = socket.recv_fds(calls, _LARGEST, _OUTPUTS)
                if not text:
                    sys.exit(0)
                out, err, told = outputs
                if (pid := os.fork()) == 0:
                    _close(told, *running, *(kept for _, kept in running.values()))
                    _become(Call.model_validate_json(text), out, err)
                    return
                _close(out, err)
                os.write(told, str(pid).encode())
                watched = os.pidfd_open(pid)
                running[watched] = pid, told
                selector.register(watched, selectors.EVENT_READ)


def _tell_end(watched: int, pid: int, told: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # it was killed because nobody waits any longer
        os.write(told, f" {code}".encode())
    _close(watched, told)


def _become(call: Call, out: int, err: int) -> None:
    """In the child: take what the process of a command has when it starts."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    _close(out, err)
    sys.argv[:] = call.argv
    os.environ.clear()
    os.environ.update(call.environment)


def _close(*descriptors: int) -> None:
    for one in descriptors:
        os.close(one)


def main() -> None:
    """Import the command, and fork."""
    for name in _LOADED:
        import_module(name)
    command = import_module("workers.cli")
    # A thread of the parent would be missing in every child, whatever it held.
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "an import started a thread"
    gc.freeze()  # a collection in a child would copy what it shares with its parent
    with socket.socket(fileno=int(sys.argv[1])) as calls:
        calls.send(b"!")
        fork_for(calls)
    command.main()
