"""The first process of every container: it waits for an order, runs its command, reports, and ends.

It is baked into the images, with `first_artifacts` beside it, and uses the standard library only, so that both serve
any provider. Docker's archive calls cannot reach a tmpfs and leave secrets on the host's disk, so everything passes
through the standard streams of this process:

- In: 8 bytes (length of the manifest, length of what follows it), the manifest as JSON, the contents of its files.
  Before them 8 bytes that are 0, and after them any byte, are a beat: the worker is there. An order that says `stays`
  is followed by another, which begins with a byte that is 1: what the beats before it left is passed over.
- Out: frames of one letter, 4 bytes of length, and a body. `W` waiting, `B` begun, `O` output, `E` error output,
  `T` telemetry, `A` an artifact's JSON, `D` its data, `R` the result's JSON (the last), `X` could not do its part.
  After a run's result it waits until its input ends: by then the worker has read all of it.

It shares a uid with the command, which holds no capability to become anybody else. So it makes itself undumpable:
the command can neither trace it nor open its memory, environment or streams, and cannot forge a frame; as process 1
of its namespace it cannot be killed from inside. When its input ends (the worker died), it kills all and ends; and so
it does when nothing has come for `SILENCE` seconds: the worker was stopped, or the engine between them was killed,
which leaves the input open.
"""

# ruff: noqa: PTH101, PTH103, PTH108, PTH114, PTH118, PTH120, PTH123
# pathlib would cost a third of the time in which this process must be ready

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import selectors
import signal
import struct
import sys
import time

TYPE_CHECKING = False  # as typing has it; importing that at run time costs as much as a start of a process
if TYPE_CHECKING:
    from types import ModuleType

    from sandbox.order import Archive, Entry, Farewell, Manifest

WORKSPACE = "/workspace"
SECRETS = "/run/secrets"
TELEMETRY = "/run/banksman/telemetry"
CHUNK = 65536
ORDER = struct.Struct(">II")
FRAME = struct.Struct(">cI")
SILENCE = 8.0
BEAT = bytes(ORDER.size)
NEXT = b"\1"
_PR_SET_DUMPABLE = 4
_DRAIN_SECONDS = 0.5
_NICE = 5
_CANNOT_RUN = 126
_NOT_FOUND = 127


def main() -> None:
    """Wait, run, report, end."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.umask(0o077)
    os.set_blocking(1, False)
    # Without a handler, process 1 gets no signal from its own namespace: neither SIGINT nor SIGTERM may have one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.mkfifo(TELEMETRY, 0o600)
        _send(b"W", b"")
        manifest = _read_order()
        if manifest is None:
            sys.exit(0)
        _run(manifest)
        while manifest["stays"]:
            _await_next()
            manifest = _read_order() or sys.exit(0)
            _run(manifest)
        if manifest["limits"]["wall_seconds"] is not None:
            _await_hanging_up()
    except BaseException as error:
        if isinstance(error, (SystemExit, BrokenPipeError)):
            raise
        _send(b"X", json.dumps({"error": f"{type(error).__name__}: {error}"[:500]}).encode())
        raise


class _Line:
    """The worker at the other end, as far as it can be heard."""

    def __init__(self) -> None:
        self.ordered = False
        self._heard = time.monotonic()

    def left(self) -> float:
        """Seconds until it has been silent for too long."""
        return self._heard + SILENCE - time.monotonic()

    def read(self, size: int) -> bytes:
        """At least one byte; none at the end. Nothing that comes too late is waited for."""
        if not select.select([0], [], [], max(self.left(), 0))[0]:
            _end_all_and_exit()
        self._heard = time.monotonic()
        return os.read(0, size)

    def require(self) -> None:
        """End all when nobody is there; a beat that came while nobody listened counts."""
        if self.left() <= 0:
            self.listen()

    def listen(self) -> None:
        """Take a beat, which is there; its end is the end of all."""
        if not self.read(CHUNK):
            _end_all_and_exit()

    def write(self, view: memoryview) -> None:
        """To the last byte, as long as there is somebody: one who does not read, but beats, is waited for."""
        while view:
            try:
                view = view[os.write(1, view) :]
            except BlockingIOError:
                heard, ready, _ = select.select([0] if self.ordered else [], [1], [], max(self.left(), 0))
                if heard:
                    self.listen()
                elif not ready:
                    _end_all_and_exit()


_line = _Line()


def _send(kind: bytes, body: bytes) -> None:
    _line.write(memoryview(FRAME.pack(kind, len(body)) + body))


def _read_exactly(size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = _line.read(min(size, 1 << 20))
        if not part:
            raise EOFError("the order ended early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _read_order() -> Manifest | None:
    """The manifest, after its files were written; None when the input ended first."""
    head = BEAT
    while head == BEAT:
        start = _line.read(1)
        if not start:
            return None
        head = start + _read_exactly(ORDER.size - 1)
    manifest_size, _ = ORDER.unpack(head)
    manifest: Manifest = json.loads(_read_exactly(manifest_size))
    for entry in manifest["files"]:
        _write(os.path.join(WORKSPACE, entry["path"]), entry)
    for entry in manifest["secrets"]:
        _write(os.path.join(SECRETS, entry["path"]), entry)
    for entry in manifest["archives"]:
        _unpack(entry)
    _line.ordered = True
    return manifest


def _await_next() -> None:
    """Until another order begins; nothing of the last one runs, and its beats may have left a part of one."""
    while (byte := _line.read(1)) != NEXT:
        if not byte:
            _end_all_and_exit()


def _await_hanging_up() -> None:
    """Until the worker has read the result: Docker drops what is unread two seconds after a container's end.

    A service is not waited for: that it has ended is all that its last word says.
    """
    while _line.read(CHUNK):
        pass


def _write(path: str, entry: Entry) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    left = entry["size"]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, entry["mode"]), "wb") as file:
        while left:
            part = _read_exactly(min(left, CHUNK))
            file.write(part)
            left -= len(part)


def _unpack(entry: Archive) -> None:
    """With bsdtar, which refuses `..` and names that lead through links; Debian's tarfile has no filter for that."""
    path = os.path.join(WORKSPACE, entry["path"])
    into = os.path.join(WORKSPACE, entry["into"])
    os.makedirs(into, mode=0o700, exist_ok=True)
    argv = ["/usr/bin/bsdtar", "--extract", "--no-same-owner", "--file", path, "--directory", into]
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]
    _, status = os.waitpid(os.posix_spawn(argv[0], argv, {"LANG": "C.UTF-8"}, file_actions=actions), 0)
    os.close(null)
    if status:
        raise ValueError(f"the archive {entry['path']!r} does not fit, is broken or leads outside")
    os.unlink(path)


class _Stream:
    """One of the command's outputs: its head is passed on at once, its tail is kept, the middle is counted."""

    def __init__(self, kind: bytes, *, head: int, tail: int) -> None:
        self.kind, self.head, self.tail_limit = kind, head, tail
        self.tail: list[bytes] = []
        self.tail_size = self.seen = 0

    def take(self, data: bytes) -> None:
        self.seen += len(data)
        if self.head:
            now, data = data[: self.head], data[self.head :]
            self.head -= len(now)
            _send(self.kind, now)
        if data and self.tail_limit:
            self.tail.append(data)
            self.tail_size += len(data)
            while self.tail_size - len(self.tail[0]) >= self.tail_limit:
                self.tail_size -= len(self.tail.pop(0))

    def finish(self) -> None:
        rest = b"".join(self.tail)[-self.tail_limit :] if self.tail_limit else b""
        for start in range(0, len(rest), CHUNK):
            _send(self.kind, rest[start : start + CHUNK])


class _Command:
    """The command, from its start to the death of everything that it left."""

    def __init__(self, manifest: Manifest) -> None:
        self.limits = manifest["limits"]
        self.ended = "exit"
        self.status: int | None = None
        self.pid = -1
        # A service's outputs have no end: all of it is head.
        limit = self.limits["output_bytes"]
        head, tail = (sys.maxsize, 0) if limit is None else (limit - limit // 2, limit // 2)
        self.streams: dict[int, _Stream] = {}
        self.selector = selectors.DefaultSelector()
        self.out = self._pipe(_Stream(b"O", head=head, tail=tail))
        self.err = self._pipe(_Stream(b"E", head=head, tail=tail))
        telemetry = _Stream(b"T", head=self.limits["telemetry_bytes"], tail=0)
        self._watch(os.open(TELEMETRY, os.O_RDWR | os.O_NONBLOCK), telemetry)
        self.wake_read, self.wake_write = os.pipe()
        for end in (self.wake_read, self.wake_write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _noted)
        self.selector.register(self.wake_read, selectors.EVENT_READ)
        self.selector.register(0, selectors.EVENT_READ)

    def _pipe(self, stream: _Stream) -> int:
        read, write = os.pipe()
        os.set_blocking(read, False)
        self._watch(read, stream)
        return write

    def _watch(self, descriptor: int, stream: _Stream) -> None:
        self.streams[descriptor] = stream
        self.selector.register(descriptor, selectors.EVENT_READ)

    def start(self, manifest: Manifest) -> str:
        """Start the command; what is said when it cannot be."""
        argv = manifest["argv"]
        null = os.open(os.devnull, os.O_RDONLY)
        ends = ((null, 0), (self.out, 1), (self.err, 2))
        actions = [(os.POSIX_SPAWN_DUP2, source, target) for source, target in ends]
        os.chdir(os.path.join(WORKSPACE, manifest["directory"]))
        os.putenv("PATH", manifest["environment"]["PATH"])  # where posix_spawnp looks
        try:
            self.pid = os.posix_spawnp(
                argv[0],
                argv,
                manifest["environment"],
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )
        except OSError as error:
            self.status = _NOT_FOUND if isinstance(error, FileNotFoundError) else _CANNOT_RUN
            return f"{argv[0]}: {error.strerror}\n"
        finally:
            for descriptor in (null, self.out, self.err):
                os.close(descriptor)
        # An engine that is itself behind others gives its containers less than this, and nobody here may take more.
        os.setpriority(os.PRIO_PROCESS, self.pid, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        # Out of memory, the kernel takes the command and its children before this process.
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/oom_score_adj", "w") as file:
            file.write("1000")
        return ""

    def wait(self) -> None:
        """Until the command has ended, by itself or at the end of its time."""
        limit = self.limits["wall_seconds"]
        deadline = None if limit is None else time.monotonic() + limit
        while self.status is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                deadline = self._out_of_time()
                continue
            self._turn(_line.left() if left is None else min(left, _line.left()))

    def _out_of_time(self) -> float | None:
        """Ask, and at the second time force; until when to wait for the effect."""
        _kill_all(signal.SIGTERM if self.ended == "exit" else signal.SIGKILL)
        asked, self.ended = self.ended == "exit", "timeout"
        return time.monotonic() + self.limits["grace_seconds"] if asked else None

    def _turn(self, timeout: float) -> None:
        for key, _ in self.selector.select(max(timeout, 0)):
            if key.fd == 0:
                _line.listen()
            elif key.fd == self.wake_read:
                os.read(self.wake_read, CHUNK)
            else:
                self._pump(key.fd)
        _line.require()
        self._reap()

    def _pump(self, descriptor: int) -> bool:
        """Read once; False when there is nothing more for now."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return False
        if data:
            self.streams[descriptor].take(data)
            return True
        self.selector.unregister(descriptor)
        return False

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = os.waitstatus_to_exitcode(status)

    def end(self) -> None:
        """Kill what is left, then empty the pipes: nobody holds their other end any more."""
        _kill_all(signal.SIGKILL)
        _reap_everything()
        deadline = time.monotonic() + _DRAIN_SECONDS
        for descriptor, stream in self.streams.items():
            while time.monotonic() < deadline and descriptor in self.selector.get_map() and self._pump(descriptor):
                pass
            stream.finish()
        self._close()

    def _close(self) -> None:
        """Give the descriptors back, for an order after this one."""
        signal.set_wakeup_fd(-1)
        self.selector.close()
        for descriptor in (*self.streams, self.wake_read, self.wake_write):
            os.close(descriptor)


def _kill_all(number: int) -> None:
    """Everything in this container; in one that has the host's processes in view, only what was begun here.

    No container of ours may be like that. But until the self-test has found that one is, it must not cost the
    neighbours, who have the same user.
    """
    if os.getpid() == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, number)
        return
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        for child in children.read().split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(int(child), number)


def _reap_everything() -> None:
    while True:
        _kill_all(signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _noted(*_: object) -> None:
    """A child's end wakes the loop through its descriptor; a handler must be there for that."""


def _end_all_and_exit() -> None:
    _kill_all(signal.SIGKILL)
    os._exit(143)


def _out_of_memory_kills() -> int:
    """How often the kernel killed something in this container; -1 where no counter can be read."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as file:
                counters = dict(line.split() for line in file)
            return int(counters["oom_kill"])
        except (OSError, KeyError, ValueError):
            continue
    return -1


def _peak_memory() -> int:
    for path in ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes"):
        try:
            with open(path) as file:
                return int(file.read())
        except (OSError, ValueError):
            continue
    return -1


def _run(manifest: Manifest) -> None:
    kills = _out_of_memory_kills()
    command = _Command(manifest)
    _send(b"B", b"")
    begun = time.monotonic()
    complaint = command.start(manifest)
    if complaint:
        _send(b"E", complaint.encode())
    command.wait()
    seconds = time.monotonic() - begun
    command.end()
    _remove_secrets()
    for farewell in manifest["farewells"]:
        _say_farewell(farewell)
    refused = _send_artifacts(manifest)
    kills_now = _out_of_memory_kills()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = {
        "status": command.status,
        "ended": command.ended,
        "oom_kills": kills_now - max(kills, 0) if kills_now >= 0 else -1,
        "seen": {stream.kind.decode(): stream.seen for stream in command.streams.values()},
        "refused": refused,
        "run_seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_memory": _peak_memory(),
    }
    _send(b"R", json.dumps(result).encode())


def _send_artifacts(manifest: Manifest) -> list[dict[str, str]]:
    """Read what is to be kept, by a module beside this file; what was refused, with its reason."""
    if not manifest["artifacts"]:
        return []
    sys.path.append(os.path.dirname(__file__))
    artifacts: ModuleType = __import__("first_artifacts")
    return artifacts.Artifacts(manifest, _send).send()


def _say_farewell(farewell: Farewell) -> None:
    """Ask a proxy for a name that only the host knows: in its log, all that this run did stands before it."""
    import socket  # noqa: PLC0415 - slow to import, and most runs have no network

    with contextlib.suppress(OSError), socket.create_connection((farewell["host"], farewell["port"]), 1) as proxy:
        proxy.sendall(farewell["request"].encode())
        proxy.recv(1)


def _remove_secrets() -> None:
    """The command could change the folder, but not keep a file in it past this."""
    os.chmod(SECRETS, 0o700)
    for folder, folders, files in os.walk(SECRETS, topdown=True):
        for name in folders:
            if not os.path.islink(os.path.join(folder, name)):
                os.chmod(os.path.join(folder, name), 0o700)
        for name in files:
            os.unlink(os.path.join(folder, name))


if __name__ == "__main__":
    main()
