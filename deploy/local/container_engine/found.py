"""Find a Docker engine, or bring one up: on a bare Debian, as root, from Debian's own packages.

The engine that is started here is ours alone: its own socket, data, address pools and capped logs, under one cache
folder. All stacks and tests of a machine share it, for two would want the same addresses: each user holds a lock, the
first one starts it, and the last one ends it, with all that runs in it. A lock goes with its process, so that a killed
one keeps nothing alive. What an engine left that was killed itself is ended before the next one starts.
An engine that people already run is used as it is and never changed.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final, cast

import psutil
from pydantic import BaseModel, ConfigDict

from deploy.local.container_engine.remains import end_remains
from deploy.local.tools import APT_GET
from sandbox.docker.engine import Engine, NotThere
from sandbox.errors import SandboxUnavailable

_PACKAGES: Final = ("docker.io", "iptables", "iproute2", "debootstrap")
_HEALTHY_SECONDS: Final = 60
_LONGEST_SOCKET: Final = 100  # a Unix socket's path ends at 107 bytes
_RUNTIME: Final = "banksman-docker-"
_DEBIAN: Final = Path("/etc/debian_version")
_STANDARD_SOCKET: Final = "unix:///var/run/docker.sock"
_STOP_SECONDS: Final = 30
_BRIDGE: Final = "com.docker.network.bridge.name"
_POLL: Final = 0.1
_STARTED: Final[dict[int, psutil.Popen]] = {}  # by this process; who ends one may be another


class DockerUnavailable(Exception):
    """There is no Docker engine, and none can be started here."""


class DockerSettings(BaseModel):
    """Where the engine is, or may be made.

    Attributes:
        host: The engine to use (`unix://…`), or None to look at the standard socket and then start our own.
        cache: The folder for an engine of our own; kept between runs.
        userns_remap: Start our own engine with a user namespace of its own for containers. It has other data, and no
            way out: it adds no packet filter of its own beside that of another engine on the machine.
        address_pool: The range that our own engine cuts networks from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str | None = None
    cache: Path
    userns_remap: bool = False
    address_pool: str = "10.213.0.0/16"


@contextlib.asynccontextmanager
async def docker_engine(settings: DockerSettings) -> AsyncGenerator[str]:
    """The address of a healthy engine; one of ours ends with the last block that uses it.

    Raises:
        DockerUnavailable: Nothing answers, and this machine cannot run an engine of its own.
    """
    for host in _foreign(settings):
        if await _answers(host):
            yield host
            return
    if settings.host is not None:
        raise DockerUnavailable(f"no Docker engine answers at {settings.host!r}: start it, or unset the address")
    folder = _folder(settings)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with _used(folder):
        async with _locked(folder / "starting", fcntl.LOCK_EX):
            host = await _own(settings)
        yield host


async def address_for_containers(settings: DockerSettings) -> str | None:
    """This machine's address on the default bridge of the engine that `docker_engine` would give now.

    Containers on every network that leads out reach it. It is known before an engine of our own is there.

    Returns:
        The address; None where the engine has no default bridge.

    Raises:
        SandboxUnavailable: The engine fails.
    """
    for host in _foreign(settings):
        if await _answers(host):
            return await _gateway(host)
    return _bridge(settings)[1].partition("/")[0]


async def _gateway(host: str) -> str | None:
    engine = Engine(host, threads=1)
    try:
        network = await engine.call(engine.api.inspect_network, "bridge")
    except NotThere:
        return None
    finally:
        await engine.close()
    return gateway_of(network)


def gateway_of(network: Mapping[str, object]) -> str | None:
    """This machine's address on a bridge network as the engine describes it.

    An engine that has made its bridge itself tells no gateway until it is started once more; the bridge has one.
    """
    ipam = cast("Mapping[str, list[Mapping[str, str]] | None]", network["IPAM"])
    told = [one.get("Gateway", "") for one in ipam["Config"] or ()]
    options = cast("Mapping[str, str]", network.get("Options") or {})
    bridge = psutil.net_if_addrs().get(options.get(_BRIDGE, ""), [])
    found = [*told, *(one.address for one in bridge if one.family is socket.AF_INET)]
    return next((address for address in found if "." in address), None)


async def _own(settings: DockerSettings) -> str:
    """Our engine, started when it is not there."""
    host = _socket(settings)
    if await _answers(host):
        return host
    await _install()
    await asyncio.to_thread(_end_remains, _folder(settings))
    # containerd's sockets lie below this folder, and a socket's path must be short.
    runtime_folder = await asyncio.to_thread(tempfile.mkdtemp, prefix=_RUNTIME)
    await asyncio.to_thread((_folder(settings) / "runtime").write_text, runtime_folder)
    return await _healthy(await _start(settings, runtime_folder), settings)


@contextlib.asynccontextmanager
async def _used(folder: Path) -> AsyncGenerator[None]:
    """Count as a user of the engine; the last one ends it."""
    async with _locked(folder / "users", fcntl.LOCK_SH) as descriptor:
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):  # others use it
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                await asyncio.to_thread(_stop, folder)


@contextlib.asynccontextmanager
async def _locked(path: Path, kind: int) -> AsyncGenerator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_POLL)
        yield descriptor
    finally:
        os.close(descriptor)


def _stop(folder: Path) -> None:
    """End our engine, whoever started it."""
    try:
        process = psutil.Process(int((folder / "docker.pid").read_text()))
        if process.name() == "dockerd":
            process.terminate()
            _wait(process)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        pass  # it ended by itself
    _end_remains(folder)


def _end_remains(folder: Path) -> None:
    """End what an engine left that is gone, and remove where its sockets were."""
    written = folder / "runtime"
    named = Path(written.read_text()) if written.exists() else Path()
    # A file that a crash left empty would name the folder that we are in.
    runtime = named if named.name.startswith(_RUNTIME) else None
    if not end_remains(folder, runtime):
        return
    if runtime is not None:
        # An engine that remaps has one more beside it, named after its ids.
        for one in (runtime, *runtime.parent.glob(f"{runtime.name}.*")):
            shutil.rmtree(one, ignore_errors=True)
    written.unlink(missing_ok=True)


def _wait(process: psutil.Process) -> None:
    started = _STARTED.pop(process.pid, None)
    try:
        (started or process).wait(_STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        (started or process).wait()


def _foreign(settings: DockerSettings) -> tuple[str, ...]:
    """Where engines that are not ours may be."""
    if settings.host is not None:
        return (settings.host,)
    return () if settings.userns_remap else (_STANDARD_SOCKET,)


def _folder(settings: DockerSettings) -> Path:
    return settings.cache / ("docker-userns" if settings.userns_remap else "docker")


def _socket(settings: DockerSettings) -> str:
    path = _folder(settings) / "docker.sock"
    if len(str(path)) > _LONGEST_SOCKET:
        raise DockerUnavailable(f"{str(path)!r} is too long for a socket: choose a shorter cache folder")
    return f"unix://{path}"


async def _answers(host: str) -> bool:
    try:
        # The SDK forgets to close a socket that could not connect, so it is asked only when somebody listens.
        _, writer = await asyncio.open_unix_connection(host.removeprefix("unix://"))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    engine = Engine(host, threads=1)
    try:
        await engine.call(engine.api.ping)
    except SandboxUnavailable:
        return False
    finally:
        await engine.close()
    return True


async def _install() -> None:
    """Debian's packages, where they are not there yet."""
    if all(shutil.which(command) for command in ("dockerd", "iptables", "ip")):
        return
    if os.geteuid() != 0:
        raise DockerUnavailable(
            "no Docker engine answers, and only root can start one: start Docker, or a rootless one (`banksman doctor`)"
        )
    if not await asyncio.to_thread(_DEBIAN.exists):
        raise DockerUnavailable("no Docker engine answers, and this is not Debian: install and start Docker")
    sys.stderr.write(f"» no Docker engine answers: installing {', '.join(_PACKAGES)} from Debian\n")
    code, output = await _run(*APT_GET, "update")
    if code == 0:
        code, output = await _run(*APT_GET, "install", "-y", "--no-install-recommends", *_PACKAGES)
    if code:
        raise DockerUnavailable(f"apt-get could not install Docker (exit code {code}): {output[-300:]!r}")


async def _run(*argv: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


async def _start(settings: DockerSettings, runtime_folder: str) -> psutil.Popen:
    if os.geteuid() != 0:
        raise DockerUnavailable("no Docker engine answers, and only root can start one: start Docker")
    folder = _folder(settings)
    await asyncio.to_thread((folder / "docker.pid").unlink, missing_ok=True)
    sys.stderr.write(f"» starting a Docker engine under {str(folder)!r}\n")
    await _make_bridge(settings)
    return await asyncio.to_thread(_spawn, ["dockerd", *_options(settings, runtime_folder)], folder / "dockerd.log")


def _spawn(argv: list[str], log: Path) -> psutil.Popen:
    """A session of its own, for it may outlive its first user; not asyncio's, which would end it with the loop."""
    with log.open("wb") as out, Path(os.devnull).open("rb") as nothing:
        process = psutil.Popen(argv, stdin=nothing, stdout=out, stderr=out, start_new_session=True)
    _STARTED[process.pid] = process
    return process


def _options(settings: DockerSettings, runtime_folder: str) -> list[str]:
    folder = _folder(settings)
    options = [
        f"--host={_socket(settings)}",
        f"--data-root={folder / 'data'}",
        f"--exec-root={runtime_folder}",
        f"--pidfile={folder / 'docker.pid'}",
        f"--bridge={_bridge(settings)[0]}",
        f"--default-address-pool=base={settings.address_pool},size=29",
        "--log-driver=local",
        "--log-opt=max-size=1m",
        "--log-opt=max-file=2",
        "--log-level=warn",
        "--shutdown-timeout=3",
    ]
    if settings.userns_remap:
        # A second engine would flush the chains of the first one's packet filter.
        options += ["--userns-remap=default", "--iptables=false"]
    return options


def _bridge(settings: DockerSettings) -> tuple[str, str]:
    """The name and address of our engine's own default bridge.

    `docker0` may be another engine's; and an engine that is told to have no bridge at all deletes it.
    """
    first = settings.address_pool.rsplit(".", 2)[0]
    return ("banksman1", f"{first}.254.1/24") if settings.userns_remap else ("banksman0", f"{first}.255.1/24")


async def _make_bridge(settings: DockerSettings) -> None:
    """The bridge stays when the engine ends; making it again is no error."""
    name, address = _bridge(settings)
    await _run("ip", "link", "add", "name", name, "type", "bridge")
    await _run("ip", "address", "add", address, "dev", name)
    code, output = await _run("ip", "link", "set", name, "up")
    if code:
        raise DockerUnavailable(f"the bridge {name!r} for our own Docker engine cannot be made: {output[-200:]!r}")


async def _healthy(process: psutil.Popen, settings: DockerSettings) -> str:
    host = _socket(settings)
    log = _folder(settings) / "dockerd.log"
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _HEALTHY_SECONDS
    while loop.time() < deadline:
        if await _answers(host):
            return host
        if process.poll() is not None:
            break
        await asyncio.sleep(_POLL)
    tail = (await asyncio.to_thread(log.read_text, errors="replace"))[-300:]
    raise DockerUnavailable(f"the Docker engine did not become healthy; {str(log)!r} ends with {tail!r}")
