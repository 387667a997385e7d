"""Runs a command in a network of its own, in which there is nothing but a loopback device of its own.

    python -m deploy.local.rehearsal.sealed [--hide FOLDER]… PROGRAM ARGUMENT…

No rule says what may be reached: there is no device that leads anywhere, and the machine's own loopback, where the real
environment may listen, is another one. Everything that the command starts is in there, too. A user namespace around it
takes away the right to go back, also from root. What is left are unix sockets by their paths, among them those of
container engines: `/run` and the folders that are named are empty inside.

Nothing of ours is imported: this runs before anything has started a thread, which a new user namespace does not allow.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NoReturn

_NEW_USER: Final = 0x10000000
_NEW_NET: Final = 0x40000000
_NEW_MOUNTS: Final = 0x00020000
_PRIVATE: Final = 0x00040000 | 0x4000
_NO_SETUID_DEVICES: Final = 0x2 | 0x4
_RUN: Final = Path("/run")
"""Where a machine's services have their sockets; `/var/run` leads there."""
_HIDE: Final = "--hide"
_GET_FLAGS: Final = 0x8913
_SET_FLAGS: Final = 0x8914
_UP: Final = 0x1
_REQUEST: Final = "16sH14s"
_CANNOT: Final = 71
_PARENT_DEATH_SIGNAL: Final = 1
_LOOPBACK: Final = "lo"
_OF_ENGINES: Final = ("banksman-", "br-", "veth")
"""How the devices begin that a container engine in here makes: each has both of its ends in here."""
_GATEWAY: Final = 2
"""The column of `/proc/net/route`."""
_EVERYBODY: Final = ["0", "0", "4294967295"]
_ROOTS_IDS: Final = 65_536
"""So many ids of root's are the same inside: a database server does not run as root."""


class CannotSeal(OSError):
    """This machine does not let us; nothing was started."""


def seal(hidden: Sequence[Path] = ()) -> None:
    """Move this process, and what it starts, into a network of its own.

    Args:
        hidden: Folders that are empty inside, besides `/run`; those that are not there are left out.

    Raises:
        CannotSeal: The kernel does not let us.
    """
    user, group = os.geteuid(), os.getegid()
    mapping, telling = _map_from_outside(user, group)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_NEW_USER | _NEW_NET | _NEW_MOUNTS) != 0:
            raise CannotSeal(f"a network of its own cannot be had: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(telling)
        _, status = os.waitpid(mapping, 0)
    if status != 0:
        raise CannotSeal("a network of its own cannot be had: this user's ids cannot be mapped")
    _hide((_RUN, *hidden))
    _bring_up_loopback()
    require_sealed()


def require_sealed(*, with_engine: bool = False) -> None:
    """Refuse to go on where anything can be reached but this process's own loopback.

    Args:
        with_engine: Whether a container engine may run in here, with networks of its own that lead nowhere.

    Raises:
        CannotSeal: Naming what leads outside.
    """
    lines = Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines()[2:]
    devices = {line.partition(":")[0].strip() for line in lines} - {_LOOPBACK}
    routes = [line.split() for line in Path("/proc/self/net/route").read_text(encoding="ascii").splitlines()[1:]]
    if with_engine:
        if Path("/proc/self/uid_map").read_text(encoding="ascii").split() == _EVERYBODY:
            raise CannotSeal("this is not sealed off: it is the machine's own user namespace")
        devices = {one for one in devices if not one.startswith(_OF_ENGINES)}
        routes = [one for one in routes if int(one[_GATEWAY], 16) or not one[0].startswith(_OF_ENGINES)]
    # The kernel may put devices for tunnels into every network; none of them is up.
    leading = sorted(one for one in devices if _flags(one) & _UP)
    if leading or routes:
        raise CannotSeal(f"this is not sealed off: {', '.join(leading) or 'there are routes'} leads outside")


def _hide(folders: Iterable[Path]) -> None:
    """Empty folders in their places; those of the machine are not touched."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(None, b"/", None, _PRIVATE, None) != 0:
        raise CannotSeal(f"folders cannot be hidden: {os.strerror(ctypes.get_errno())}")
    for folder in folders:
        there = str(folder.resolve()).encode()
        if folder.is_dir() and libc.mount(b"none", there, b"tmpfs", _NO_SETUID_DEVICES, b"mode=0755,size=16m") != 0:
            raise CannotSeal(f"{str(folder)!r} cannot be hidden: {os.strerror(ctypes.get_errno())}")


def _map_from_outside(user: int, group: int) -> tuple[int, int]:
    """A child that stays outside and says who we are inside; root's ids stay what they are, and of others only our own.

    Returns:
        Its process id, and the end of a pipe: when that is closed, it begins.
    """
    begins, told = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child != 0:
        os.close(begins)
        return child, told
    os.close(told)
    os.read(begins, 1)
    many = _ROOTS_IDS if user == 0 else 1
    try:
        Path(f"/proc/{parent}/setgroups").write_text("allow" if user == 0 else "deny", encoding="ascii")
        Path(f"/proc/{parent}/uid_map").write_text(f"{user} {user} {many}", encoding="ascii")
        Path(f"/proc/{parent}/gid_map").write_text(f"{group} {group} {many}", encoding="ascii")
    except OSError:
        os._exit(1)
    os._exit(0)


def _flags(device: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asked = struct.pack(_REQUEST, device.encode(), 0, b"")
        return int(struct.unpack(_REQUEST, fcntl.ioctl(asking, _GET_FLAGS, asked))[1])


def _bring_up_loopback() -> None:
    try:
        up = struct.pack(_REQUEST, _LOOPBACK.encode(), _flags(_LOOPBACK) | _UP, b"")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            fcntl.ioctl(asking, _SET_FLAGS, up)
    except OSError as error:
        raise CannotSeal(f"the loopback device of a network of its own cannot be brought up: {error}") from error


def _end_with_parent() -> None:
    """Be told to end when whoever started us is gone: nobody else would end what runs in here."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0) != 0:
        raise CannotSeal(f"the end of our parent cannot be heard of: {os.strerror(ctypes.get_errno())}")


def main() -> NoReturn:
    """Seal, then become the command."""
    command, hidden = sys.argv[1:], list[Path]()
    while command[0] == _HIDE:
        hidden.append(Path(command[1]))
        command = command[2:]
    try:
        seal(hidden)
        _end_with_parent()
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_CANNOT)
    os.execvp(command[0], command)  # noqa: S606 - no shell shall read them


if __name__ == "__main__":
    main()
