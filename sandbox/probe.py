"""Runs inside a sandbox at the worker's start: tries what must be impossible and prints what it found, as JSON.

It is sent as a file and uses the standard library only. Each answer is a fact; `sandbox.self_test` judges.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import mmap
import multiprocessing
import os
import platform
import select
import signal
import socket
import subprocess  # noqa: TID251 - runs in the sandbox
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_MS_BIND = 4096
_FAMILIES = range(46)
_PROTOCOLS = {  # by family: of IPv4 and IPv6 with SCTP, DCCP and MPTCP; of netlink
    2: range(263),
    10: range(263),
    16: range(23),
}
_CALLS = {  # what no program may do, with its numbers on x86-64 and, where it has another one, on arm64
    "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280), "chroot": (161, 51),
    "clock_adjtime": (305, 266), "clock_settime": (227, 112), "delete_module": (176, 106), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "finit_module": (313, 273), "fsconfig": (431,), "fsmount": (432,), "fsopen": (430,),
    "fspick": (433,), "init_module": (175, 105), "io_uring_enter": (426,), "io_uring_register": (427,),
    "io_uring_setup": (425,), "ioperm": (173, None), "iopl": (172, None), "kcmp": (312, 272),
    "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219), "listmount": (458,),
    "lookup_dcookie": (212, 18), "mbind": (237, 235), "migrate_pages": (256, 238), "modify_ldt": (154, None),
    "mount": (165, 40), "mount_setattr": (442,), "move_mount": (429,), "move_pages": (279, 239),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "open_tree": (428,),
    "perf_event_open": (298, 241), "pidfd_getfd": (438,), "pivot_root": (155, 41), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60), "quotactl_fd": (443,),
    "reboot": (169, 142), "request_key": (249, 218), "set_mempolicy": (238, 237), "setdomainname": (171, 162),
    "sethostname": (170, 161), "setns": (308, 268), "settimeofday": (164, 170), "statmount": (457,),
    "swapoff": (168, 225), "swapon": (167, 224), "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97),
    "userfaultfd": (323, 282), "vhangup": (153, 58),
}  # fmt: skip
_CLONE3 = 435
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Print all facts."""
    found = {
        "uid": os.getuid(),
        "status": _status(),
        "root_writable": _writable("/"),
        "usr_writable": _writable("/usr/lib"),
        "mounts": _mounts(),
        "interfaces": sorted(os.listdir("/sys/class/net")),  # noqa: PTH208 - names are wanted, not paths
        "routes": len(Path("/proc/net/route").read_text().splitlines()) - 1,
        "engine_socket": any(Path(path).exists() for path in ("/var/run/docker.sock", "/run/containerd")),
        "mount": _denied(_libc.mount(b"/", b"/workspace", None, _MS_BIND, None)),
        "unshare": _denied(_libc.unshare(_CLONE_NEWUSER)),
        "first_process_memory": _readable("/proc/1/environ") or _readable("/proc/1/mem"),
        "core_pattern": _openable_for_writing("/proc/sys/kernel/core_pattern"),
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),  # noqa: PTH208 - the same
        "block_devices": [str(path) for path in Path("/dev").iterdir() if path.is_block_device()],
        "memory_limit": _number("memory/memory.limit_in_bytes", "memory.max"),
        "pids_limit": _number("pids/pids.max", "pids.max"),
        "swap_limit": _number("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
        "metadata": _reached("169.254.169.254", 80),
        "calls": sorted(name for name, numbers in _CALLS.items() if _reaches_kernel(numbers)),
        "sockets": sorted(_sockets()),
        "lacking": sorted(name for name, use in _NEEDED.items() if not _works(use)),
    }
    print(json.dumps(found))  # noqa: T201 - its output is the answer


def _status() -> dict[str, str]:
    wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    lines = (line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: value.strip() for name, value in lines if name in wanted}


def _mounts() -> list[list[str]]:
    return [line.split()[1:4] for line in Path("/proc/mounts").read_text().splitlines()]


def _denied(answer: int) -> bool:
    return answer != 0 and ctypes.get_errno() in {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EINVAL}


def _writable(folder: str) -> bool:
    path = Path(folder) / ".banksman-probe"
    try:
        path.touch()
    except OSError:
        return False
    path.unlink()
    return True


def _readable(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def _openable_for_writing(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        return False
    return True


def _number(*names: str) -> int | None:
    for name in names:
        try:
            text = (Path("/sys/fs/cgroup") / name).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None


def _reached(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _reaches_kernel(numbers: tuple[int | None, ...]) -> bool:
    """Whether the kernel looks at the call at all: it would find each argument impossible, and say so."""
    number = numbers[-1 if platform.machine() == "aarch64" else 0]
    if number is None:
        return False
    ctypes.set_errno(0)
    answer = _libc.syscall(number, *[ctypes.c_long(-1)] * 6)
    return answer >= 0 or ctypes.get_errno() not in {errno.EPERM, errno.ENOSYS}


def _sockets() -> set[str]:
    """The families and protocols that the kernel is asked for, whether or not it knows them."""
    return {
        f"{family}/{protocol}"
        for family in _FAMILIES
        for protocol in _PROTOCOLS.get(family, (0,))
        if _asks(family, protocol)
    }


def _asks(family: int, protocol: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_STREAM, protocol).close()
    except PermissionError:
        return False
    except OSError:
        return True
    return True


def _works(use: "Callable[[], object]") -> bool:
    try:
        use()
    except Exception:  # noqa: BLE001 - whatever it is, it does not work
        return False
    return True


def _ask_oneself() -> None:
    """Over the loopback interface, by TCP."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=1) as client,
        server.accept()[0] as served,
    ):
        client.sendall(b"x")
        assert served.recv(1) == b"x"  # noqa: S101 - caught


def _copy() -> None:
    with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as other:
        one.write(b"x")
        one.flush()
        os.sendfile(other.fileno(), one.fileno(), 0, 1)
        os.copy_file_range(one.fileno(), other.fileno(), 1, 0)
        fcntl.flock(one, fcntl.LOCK_EX)


def _share() -> None:
    for pair in (socket.socketpair(), socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)):
        for end in pair:
            end.close()
    with multiprocessing.Lock():
        pass


def _compile() -> None:
    """Memory that can be run, as just-in-time compilers need it."""
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def _thread() -> None:
    thread = threading.Thread(target=os.getpid)
    thread.start()
    thread.join()


def _wait() -> None:
    with select.epoll() as epoll:
        event = os.eventfd(1)
        epoll.register(event)
        assert epoll.poll(1)  # noqa: S101 - caught
        os.close(event)


def _timer() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 60)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _older_clone() -> None:
    """Who is told that there is no `clone3` takes `clone`; who is told that it may not gives up."""
    assert _libc.syscall(_CLONE3, None, 0) == -1  # noqa: S101 - caught
    assert ctypes.get_errno() == errno.ENOSYS  # noqa: S101 - caught


def _named_pipe() -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/tmp/.banksman-pipe")  # noqa: PTH108, S108 - the container's own
    os.mkfifo("/tmp/.banksman-pipe")  # noqa: S108 - the same


_NEEDED: "dict[str, Callable[[], object]]" = {
    "clone": _older_clone,
    "files": _copy,
    "interfaces": socket.if_nameindex,
    "memory files": lambda: os.close(os.memfd_create("probe")),
    "named pipes": _named_pipe,
    "pidfd": lambda: os.close(os.pidfd_open(os.getpid())),
    "processes": lambda: subprocess.run(["true"], check=True),  # noqa: S607 - the image's own
    "randomness": lambda: os.getrandom(1),
    "run what was compiled": _compile,
    "scheduling": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "sharing": _share,
    "tcp": _ask_oneself,
    "threads": _thread,
    "timers": _timer,
    "waiting": _wait,
}


if __name__ == "__main__":
    main()
