"""The volume by which the two containers of one run see each other's sockets: a small tmpfs, gone with the run."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator
from typing import Final

from sandbox.container import Containers
from sandbox.engine import NotThere
from sandbox.errors import SandboxError, SandboxUnavailable

_OPTIONS: Final = {
    "type": "tmpfs",
    "device": "tmpfs",
    # Both containers have the same user, whom the engine may map to others on the host: no one else has the volume.
    "o": "size=1m,nr_inodes=64,mode=0777,nosuid,nodev,noexec",
}
_REMOVE_SECONDS: Final = 30
_POLL: Final = 0.05
_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def joint_volume(containers: Containers, run_id: str, seconds: float) -> AsyncGenerator[str]:
    """A volume for one run; after the block it goes as soon as its containers have.

    Args:
        containers: Whose labels and engine it has.
        run_id: Names it in labels.
        seconds: After which the reaper may take it from a dead worker.

    Raises:
        SandboxError: The engine does not make one.
    """
    name = f"banksman-joint-{run_id}-{secrets.token_hex(4)}"
    containers.live.add(name)
    try:
        labels = containers.labels("volume", run=run_id, seconds=seconds)
        create = containers.engine.api.create_volume
        await containers.engine.call(create, name, driver="local", driver_opts=_OPTIONS, labels=labels)
        yield name
    finally:
        containers.later(_remove(containers, name))


async def _remove(containers: Containers, name: str) -> None:
    """Its containers are being removed meanwhile, and until then the engine refuses."""
    deadline = asyncio.get_running_loop().time() + _REMOVE_SECONDS
    try:
        while True:
            try:
                await containers.engine.call(containers.engine.api.remove_volume, name, force=False)
            except NotThere:
                return
            except SandboxUnavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_POLL)
            else:
                return
    except SandboxError:
        _log.warning("a volume could not be removed; the reaper will", extra={"volume": name})
    finally:
        containers.live.discard(name)
