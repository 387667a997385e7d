"""The container engine of a rehearsal: one of its own, in the same network that leads nowhere.

Whoever holds a container engine's socket is root where it runs. So the machine's is out of reach, and this one starts
inside: its networks end where the rehearsal's does, also those that lead out for other engines. It has processes of
its own as well, all of which end with the one that started it, however that ends.
"""

import asyncio
import contextlib
import os
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final, cast

from deploy.local.rehearsal.images import RECORD, data_for, load
from deploy.local.rehearsal.sealed import CannotSeal, require_sealed
from sandbox.docker.engine import Engine, Json
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.provisioning import EngineFound

_BRIDGE: Final = "banksman-r"
_ADDRESS: Final = "10.212.255.1/24"
_POOL: Final = "base=10.212.0.0/16,size=29"
_NEEDED: Final = ("dockerd", "containerd", "iptables", "ip", "unshare", "setpriv")
_HEALTHY_SECONDS: Final = 60
_POLL: Final = 0.1
_SYSTEM: Final = ":/usr/local/sbin:/usr/sbin:/sbin"
_BUILT_IN: Final = frozenset({"bridge", "host", "none"})
# The first process of its own ones: all others end with it. It waits for those that nobody else waits for.
_FIRST: Final = """
mount -t tmpfs -o mode=0755 none /run
ip link add name "$1" type bridge
ip address add "$2" dev "$1"
ip link set "$1" up
shift 2
dockerd "$@" &
wait
"""


@contextlib.asynccontextmanager
async def contained_engine(folder: Path) -> AsyncGenerator[EngineFound]:
    """An engine that holds the images which were handed in, gone with all that it ran after the block.

    Args:
        folder: The rehearsal's; its path is short, for sockets.

    Raises:
        CannotSeal: Something outside can be reached, or this machine cannot run an engine here.
        SandboxError: The engine does not do its part.
    """
    require_sealed()
    require_able()
    async with data_for(folder) as data:
        process = await _started(folder, data)
        try:
            host = await _healthy(process, folder)
            require_sealed(with_engine=True)
            await _made_ready(host, folder)
            yield EngineFound(host=host, images=str(folder / RECORD), pulumi="ready")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def require_able() -> None:
    """Refuse where no engine can be started in a rehearsal, before anything is copied for it.

    Raises:
        CannotSeal: With what is missing.
    """
    if os.geteuid() != 0:
        raise CannotSeal("only root can rehearse a goal that runs other people's code: it takes a container engine")
    path = os.defpath + _SYSTEM
    if missing := [one for one in _NEEDED if shutil.which(one) is None and shutil.which(one, path=path) is None]:
        raise CannotSeal(f"a rehearsal with containers starts an engine of its own, and lacks {', '.join(missing)}")


async def _started(folder: Path, data: Path) -> Process:
    """Begun by this thread: it ends with the one that began it."""
    (folder / "engine").mkdir()
    options = [
        f"--host=unix://{folder}/docker.sock",
        f"--data-root={data}",
        f"--exec-root={folder}/engine",
        f"--pidfile={folder}/docker.pid",
        f"--bridge={_BRIDGE}",
        f"--default-address-pool={_POOL}",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        "--log-driver=local",
        "--log-level=warn",
    ]
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    argv = ["setpriv", "--pdeathsig", "KILL", "--", *own, "/bin/sh", "-euc", _FIRST, "sh", _BRIDGE, _ADDRESS, *options]
    environment = {"PATH": f"{os.defpath}{_SYSTEM}", "HOME": str(folder)}
    with (folder / "dockerd.log").open("wb") as log:
        nothing = asyncio.subprocess.DEVNULL
        return await asyncio.create_subprocess_exec(*argv, env=environment, stdin=nothing, stdout=log, stderr=log)


async def _healthy(process: Process, folder: Path) -> str:
    host = f"unix://{folder}/docker.sock"
    deadline = asyncio.get_running_loop().time() + _HEALTHY_SECONDS
    while asyncio.get_running_loop().time() < deadline and process.returncode is None:
        if (folder / "docker.sock").exists():
            engine = Engine(host, threads=1)
            with contextlib.suppress(SandboxError):
                await engine.call(engine.api.ping)
                await engine.close()
                return host
            await engine.close()
        await asyncio.sleep(_POLL)
    said = await asyncio.to_thread((folder / "dockerd.log").read_text, errors="replace")
    raise SandboxUnavailable(f"the rehearsal's own container engine did not start: {said[-300:]!r}")


async def _made_ready(host: str, folder: Path) -> None:
    engine = Engine(host, threads=4, timeout=900)
    try:
        await _clear(engine)
        await load(engine, folder)
    finally:
        await engine.close()


async def _clear(engine: Engine) -> None:
    """Nothing of an earlier rehearsal is in this one but the images."""
    api = engine.api
    for one in await engine.call(api.containers, all=True, filters={}):
        await engine.remove(api.remove_container, str(one["Id"]), v=True, force=True)
    for one in await engine.call(api.networks, filters={}):
        if one["Name"] not in _BUILT_IN:
            await engine.remove(api.remove_network, str(one["Id"]))
    for one in cast("Sequence[Json]", (await engine.call(api.volumes, filters={})).get("Volumes") or ()):
        await engine.remove(api.remove_volume, str(one["Name"]), force=True)
