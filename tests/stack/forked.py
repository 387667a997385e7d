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
_COMMANDS: Final = (
    *("approvals", "audit", "connection", "deliverer", "github", "goals"),
    *("status", "trace", "up", "watch", "worker"),
)
_LOADED: Final = (
    *(f"workers.commands.{name}" for name in _COMMANDS),
    *(f"workers.roles.{role}" for role in ("connectors", "destructive", "gateway", "goals")),
    *("workers.steps.connectors.github", "workers.steps.destructive.github", "hitl.policy.file"),
    *("observability.temporal_tracing", "observability.tracing", "temporalio.runtime", "rich.progress", "rich.status"),
)
"""All that commands load, also what they load late."""


class Call(BaseModel):
    """What to run; its outputs come with it, as file descriptors."""

    argv: list[str]
    environment: dict[str, str]
    folder: Path


@dataclass(frozen=True)
class Forking:
    """The process that forks.

    Attributes:
        calls: Takes a call and where its outputs go, in one message.
        process: Ends when `calls` is closed.
    """

    calls: socket.socket
    process: "subprocess.Popen[bytes]"


@dataclass
class Command:
    """One that was started.

    Attributes:
        args: The whole command line.
        pid: Of its process.
        returncode: Its exit code, once `wait` has seen its end; minus the signal that ended it.
    """

    args: Sequence[str]
    pid: int
    _told: int
    _text: bytearray
    returncode: int | None = None

    def terminate(self) -> None:
        """Tell it to end, unless it has."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, unless it has ended."""
        self._signal(signal.SIGKILL)

    def wait(self, seconds: float) -> int:
        """The exit code.

        Raises:
            subprocess.TimeoutExpired: It did not end in time.
        """
        if self.returncode is None:
            if not _read({self._told: self._text}, until=time.monotonic() + seconds):
                raise subprocess.TimeoutExpired(self.args, seconds)
            _close(self._told)
            self.returncode = int(self._text.split()[1])
        return self.returncode

    def _signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


@cache
def _forking() -> Forking:
    """Started at the first call; its consoles are as wide as those of `Running.environment`, once and for all."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()", str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "1000", "NO_COLOR": "1"},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    ours.recv(1)  # from here on, nobody waits for the imports
    return Forking(ours, process)


def start(
    script: Path, arguments: Sequence[str], *, environment: Mapping[str, str], out: int, err: int, folder: Path = ROOT
) -> Command:
    """Start the command.

    Args:
        script: What the command takes itself for.
        arguments: Of the command.
        environment: The whole environment.
        out: Where it writes results, a file descriptor.
        err: Where it writes everything else.
        folder: Which it works in.
    """
    told, telling = os.pipe()
    args = [str(script), *arguments]
    try:
        call = Call(argv=args, environment=dict(environment), folder=folder).model_dump_json().encode()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [out, err, telling]))
        _forking().calls.sendmsg([call], [rights])
    finally:
        _close(telling)
    text = bytearray(os.read(told, _LARGEST))  # the process id, and what follows if it follows at once
    return Command(args, int(text.split()[0]), told, text)


def run(
    script: Path, arguments: Sequence[str], *, environment: Mapping[str, str], seconds: float, folder: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end, as `subprocess.run` does; it is killed after so many seconds.

    Raises:
        subprocess.TimeoutExpired: It did not end in time.
    """
    until = time.monotonic() + seconds
    readers: dict[int, bytearray] = {}
    writers: list[int] = []
    for _ in range(2):
        reader, writer = os.pipe()
        readers[reader] = bytearray()
        writers.append(writer)
    try:
        try:
            command = start(script, arguments, environment=environment, out=writers[0], err=writers[1], folder=folder)
        finally:
            _close(*writers)
        if not _read(readers, until=until):
            command.kill()
            raise subprocess.TimeoutExpired(command.args, seconds, *map(bytes, readers.values()))
        code = command.wait(max(until - time.monotonic(), 0))
    finally:
        _close(*readers)
    out, err = (text.decode() for text in readers.values())
    return subprocess.CompletedProcess(command.args, code, out, err)


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
    os.chdir(call.folder)
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
