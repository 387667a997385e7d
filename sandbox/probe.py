"""Runs inside a sandbox at the worker's start: tries what must be impossible and prints what it found, as JSON.

It is sent as a file and uses the standard library only. Each answer is a fact; `sandbox.self_test` judges.
"""

import ctypes
import errno
import json
import os
import socket
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_MS_BIND = 4096
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


if __name__ == "__main__":
    main()
