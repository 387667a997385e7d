"""Judges what the probe found: a worker whose engine breaks one promise does not start."""

import asyncio
import json
import socket
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from sandbox import probe
from sandbox.docker.seccomp import SOCKETS
from sandbox.errors import IsolationMissing
from sandbox.protocol import Sandbox
from sandbox.result import RunResult
from sandbox.spec import MIB, InputFile, Limits, RunSpec, Target, Work

_LIMITS: Final = Limits(
    memory_bytes=96 * MIB, pids=32, workspace_bytes=4 * MIB, tmp_bytes=4 * MIB, wall_seconds=20, cpus=1
)
_OWN_TMPFS: Final[frozenset[str]] = frozenset({"/workspace", "/tmp", "/run/secrets", "/run/banksman"})  # noqa: S108 - in the container
_REACH: Final = """
import socket, subprocess, sys
own = subprocess.run(['hostname', '-I'], capture_output=True, text=True).stdout.split()[0].rsplit('.', 1)
near = [f'{own[0]}.{int(own[1]) + step}' for step in (-2, 1, 2, 3)]
for host in [*sys.argv[2:], *near]:
    try: socket.create_connection((host, int(sys.argv[1])), timeout=0.5).close(); print(host)
    except OSError: pass
try: print(socket.gethostbyname('banksman-self-test.example.com'))
except OSError: pass
"""
_SOCKETS: Final = {f"{family}/{protocol}" for family, protocol in SOCKETS}
_NO_CAPABILITY: Final = "0000000000000000"


class Found(BaseModel):
    """The probe's answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uid: int
    status: Mapping[str, str]
    root_writable: bool
    usr_writable: bool
    mounts: Sequence[tuple[str, str, str]]
    interfaces: Sequence[str]
    routes: int
    engine_socket: bool
    mount: bool
    unshare: bool
    first_process_memory: bool
    core_pattern: bool
    processes: int
    block_devices: Sequence[str]
    memory_limit: int | None
    pids_limit: int | None
    swap_limit: int | None
    metadata: bool
    calls: Sequence[str]
    sockets: Sequence[str]
    lacking: Sequence[str]


async def self_test(sandbox: Sandbox, image: str, *, own_kernel: bool = False) -> Found:
    """Try the engine before it is trusted.

    Args:
        sandbox: The provider under test.
        image: The base image.
        own_kernel: The runtime brings a kernel of its own, whose `/proc` and cgroups are not the host's.

    Raises:
        IsolationMissing: Which promises are broken.
        SandboxError: The probe could not run at all.
    """
    spec = RunSpec(
        run_id=f"self-test-{uuid.uuid4().hex[:8]}",
        image=image,
        argv=("python3", "-I", "probe.py"),
        files=(InputFile(path="probe.py", content=Path(probe.__file__).read_bytes()),),
        limits=_LIMITS,
    )
    found = _read(await sandbox.run(spec))
    broken = [name for name, kept in _promises(found, own_kernel=own_kernel).items() if not kept]
    if broken:
        raise IsolationMissing(
            f"the container engine does not keep: {', '.join(broken)}; nothing may run on it until it does"
        )
    return found


def reaching_spec(image: str, *, purpose: str, work: Work = "command", target: Target | None = None) -> RunSpec:
    """A run that tries to reach what it must not; `network_test` adds where that is.

    Args:
        image: The base image.
        purpose: Any that exists.
        work: What it is for.
        target: Where its step leads it, for a purpose that leaves this to the step.
    """
    return RunSpec(
        run_id=f"self-test-{uuid.uuid4().hex[:8]}",
        image=image,
        argv=("python3", "-I", "-c", _REACH),
        limits=_LIMITS,
        purpose=purpose,
        work=work,
        target=target,
    )


async def network_test(sandbox: Sandbox, spec: RunSpec) -> None:
    """Try to reach a listener on all of this host's addresses from a run's own network, past the proxy.

    Args:
        sandbox: The provider under test.
        spec: As `reaching_spec` makes it.

    Raises:
        IsolationMissing: The listener was reached, or a name was resolved.
        SandboxError: The run could not be made.
    """
    visitors: list[object] = []

    def visited(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visitors.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(visited, "0.0.0.0", 0)  # noqa: S104 - what a run would find on this host
    async with server:
        port = int(server.sockets[0].getsockname()[1])
        aimed = spec.model_copy(update={"argv": (*spec.argv, str(port), *_host_addresses())})
        result = await sandbox.run(aimed)
    if result.exit_code != 0:
        raise IsolationMissing(f"the self-test of the network did not run: {result.stderr.text[-200:]!r}")
    if visitors or result.stdout.text.strip():
        reached = result.stdout.text.strip()[:200]
        raise IsolationMissing(
            f"a run with a purpose reached past its proxy: {reached!r}; the engine must honour the bridge option "
            "inhibit_ipv4 and internal networks"
        )


def _host_addresses() -> list[str]:
    """Where this host would answer: the address it uses to go out; the run adds its own network's gateway."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            return []
        return [str(probe.getsockname()[0])]


def _read(result: RunResult) -> Found:
    try:
        return Found.model_validate(json.loads(result.stdout.text))
    except (ValueError, ValidationError) as error:
        raise IsolationMissing(f"the self-test's probe said nothing useful: {result.stderr.text[-200:]!r}") from error


def _promises(found: Found, *, own_kernel: bool) -> Mapping[str, bool]:
    promises = {
        "a user who is not root": found.uid not in {0, 65534},
        "no capability": all(value == _NO_CAPABILITY for name, value in found.status.items() if name.startswith("Cap")),
        "a root folder that cannot be written": not (found.root_writable or found.usr_writable),
        "no network": set(found.interfaces) <= {"lo", "tunl0", "sit0", "gre0", "erspan0"} | _dead(found),
        "no route": found.routes <= 0,
        "no metadata service": not found.metadata,
        "no engine socket": not found.engine_socket,
        "no mount": found.mount,
        "a closed first process": not found.first_process_memory,
        "a core pattern that cannot be written": not found.core_pattern,
        "no process of others": found.processes <= 4,  # noqa: PLR2004 - the first, the probe, and room for a reaper
        "no block device": not found.block_devices,
        "bounded folders": _bounded(found.mounts),
    }
    if own_kernel:
        return promises
    return promises | {
        "no new privileges": found.status.get("NoNewPrivs") == "1",
        "a seccomp filter": found.status.get("Seccomp") == "2",
        f"our list of calls (it lets through {_few(found.calls)})": not found.calls,
        f"our list of sockets (it lets through {_few(found.sockets)})": set(found.sockets) <= _SOCKETS,
        f"the calls that programs need (it refuses {_few(found.lacking)})": not found.lacking,
        "no new user namespace": found.unshare,
        "the memory limit": found.memory_limit == _LIMITS.memory_bytes,
        "no swap": found.swap_limit in {0, _LIMITS.memory_bytes},
        "the process limit": found.pids_limit == _LIMITS.pids,
    }


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5])


def _dead(found: Found) -> set[str]:
    """Tunnel devices that some kernels put into every network namespace; without a route they lead nowhere."""
    return set(found.interfaces) if found.routes <= 0 else set()


def _bounded(mounts: Sequence[tuple[str, str, str]]) -> bool:
    """Every writable file system is one of ours, with a size, without devices and set-uid."""
    ours: dict[str, list[str]] = {
        place: options.split(",") for place, kind, options in mounts if kind == "tmpfs" and place in _OWN_TMPFS
    }
    if ours.keys() != _OWN_TMPFS:
        return False
    return all(
        {"nosuid", "nodev"} <= set(options) and any(o.startswith("size=") for o in options) for options in ours.values()
    )
