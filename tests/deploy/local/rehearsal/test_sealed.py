"""A sealed process tries to get out: to the world, to this machine's own loopback, by names, and back where it was."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.local.rehearsal.sealed import CannotSeal, require_sealed

_ATTEMPTS: Final = """
import ctypes, json, os, socket, subprocess, sys

def reached(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        return one.connect_ex(address) == 0

def joined(pid):
    try:
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    except OSError:
        return False
    return ctypes.CDLL(None, use_errno=True).setns(there, 0) == 0

def sent(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            return one.sendto(b"x", address) == 1
        except OSError:
            return False

port, outer, mine = int(sys.argv[1]), int(sys.argv[2]), socket.create_server(("127.0.0.1", 0))
named, run, *_ = *sys.argv[3:], "", ""
child = "import socket,sys; sys.exit(socket.socket().connect_ex(('192.0.2.1', 443)) == 0)"
print(json.dumps({
    "world": reached(socket.AF_INET, ("192.0.2.1", 443)),
    "world by IPv6": reached(socket.AF_INET6, ("2001:db8::1", 443)),
    "world by UDP": sent(("192.0.2.1", 53)),
    "link local": reached(socket.AF_INET, ("169.254.169.254", 80)),
    "the machine's loopback": reached(socket.AF_INET, ("127.0.0.1", port)),
    "an abstract socket": reached(socket.AF_UNIX, f"\\0rehearsal-{outer}"),
    "a socket in a hidden folder": os.path.exists(named) and reached(socket.AF_UNIX, named),
    "a service's socket": os.path.exists(run) and reached(socket.AF_UNIX, run),
    "back": joined(outer) or joined(1),
    "a child": subprocess.run([sys.executable, "-c", child]).returncode != 0,
    "own loopback": reached(socket.AF_INET, mine.getsockname()),
}))
"""


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server on this machine's loopback; another one has an abstract name."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as named:
        named.bind(f"\0rehearsal-{os.getpid()}")
        named.listen()
        yield server.getsockname()[1]


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two sockets as container engines have them: in a folder of this user's, and where a machine's services are."""
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        own = str(tmp_path / "docker.sock")
        where = Path("/run") if os.access("/run", os.W_OK) else Path("/run/user") / str(os.geteuid())
        services = str(where / f"rehearsal-{os.getpid()}.sock")
        for listening, path in ((one, own), (other, services)):
            listening.bind(path)
            listening.listen()
        yield own, services
        Path(services).unlink()


def attempts(port: int, *before: str, engines: tuple[str, ...] = ()) -> dict[str, bool]:
    command = [*before, sys.executable, "-c", _ATTEMPTS, str(port), str(os.getpid()), *engines]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


SEALED: Final = (sys.executable, "-m", "deploy.local.rehearsal.sealed")


def test_nothing_is_reached_but_its_own_loopback(listening: int, engines: tuple[str, str]) -> None:
    hiding = (*SEALED, "--hide", str(Path(engines[0]).parent), "--hide", "/nowhere")
    found = attempts(listening, *hiding, engines=engines)
    assert [name for name, reached in found.items() if reached] == ["own loopback"]


def test_the_same_attempts_get_through_where_nobody_seals(listening: int, engines: tuple[str, str]) -> None:
    """Or the test above would show nothing."""
    found = attempts(listening, engines=engines)
    assert found["the machine's loopback"]
    assert found["an abstract socket"]
    assert found["a socket in a hidden folder"]
    assert found["a service's socket"]


def test_a_network_with_a_container_engines_devices_is_sealed_only_inside(listening: int) -> None:
    """On the machine itself the engine's bridges lead out, whatever they are called."""
    del listening
    with pytest.raises(CannotSeal, match="own user namespace"):
        require_sealed(with_engine=True)


def test_what_is_not_sealed_off_is_refused() -> None:
    with pytest.raises(CannotSeal, match="leads outside"):
        require_sealed()


def test_it_ends_with_whoever_started_it() -> None:
    """A pipe that only the sealed process holds open tells when it is gone."""
    reading, writing = os.pipe()
    sealed = [*SEALED, sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    starter = f"import subprocess; subprocess.run({sealed!r}, pass_fds=[{writing}])"
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, pass_fds=[writing]) as parent:
        os.close(writing)
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        parent.kill()
        assert os.read(reading, 1) == b""
    os.close(reading)


def test_its_exit_code_is_the_commands() -> None:
    done = subprocess.run([*SEALED, sys.executable, "-c", "raise SystemExit(7)"], check=False, timeout=60)
    assert done.returncode == 7
