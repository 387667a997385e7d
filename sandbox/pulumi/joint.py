"""The volume by which the two containers of one run see each other's sockets: a small tmpfs, gone with the run."""

import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator
from typing import Final

from sandbox.docker.container import Containers
from sandbox.errors import SandboxError

_OPTIONS: Final = {
    "type": "tmpfs",
    "device": "tmpfs",
    # Both containers have the same user, whom the engine may map to others on the host: no one else has the volume.
    "o": "size=1m,nr_inodes=64,mode=0777,nosuid,nodev,noexec",
}
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
    try:
        await containers.engine.remove(containers.engine.api.remove_volume, name, force=False)
    except SandboxError as error:
        _log.warning("a volume could not be removed, and is left to the reaper: %s", error, extra={"volume": name})
    finally:
        containers.live.discard(name)
