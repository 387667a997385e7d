"""Makes containers of ours and removes them, so that none is left whatever happens in between."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from sandbox.docker.attachment import Attachment
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_DEPLOYMENT, LABEL_KIND, LABEL_OWNER, LABEL_RUN, LABEL_UNTIL, refuse_weak
from sandbox.docker.runtime import RuntimePolicy
from sandbox.errors import SandboxError

PREFIX: Final = "banksman-"
_log = logging.getLogger(__name__)


class SandboxOptions(BaseModel):
    """What the deployment decides about sandboxes.

    Attributes:
        deployment: Names what is ours on an engine that others use as well.
        owner: This worker; the same after a restart, so that it finds what it left.
        runtime: Whether a runtime with its own kernel is needed.
        concurrency: Runs at once; more wait.
        waiting: Containers kept ready for each kind of place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    deployment: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    owner: str = Field(default="sandbox-worker", pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")
    runtime: RuntimePolicy = "preferred"
    concurrency: int = Field(default=4, ge=1, le=256)
    waiting: int = Field(default=0, ge=0, le=64)


class Container:
    """One container and the line to its first process."""

    def __init__(self, name: str, container_id: str, attachment: Attachment) -> None:
        self.name, self.id, self.attachment = name, container_id, attachment


class Containers:
    """All containers of one worker on one engine.

    Attributes:
        live: Names that this worker knows of and will remove itself.
    """

    def __init__(self, engine: Engine, options: SandboxOptions) -> None:
        self.engine, self.options = engine, options
        self.live: set[str] = set()
        self._removals: set[asyncio.Task[None]] = set()

    def labels(self, kind: str, *, run: str = "", seconds: float | None = None) -> Mapping[str, str]:
        """What the reaper goes by.

        Args:
            kind: `run`, `waiting`, `proxy` or `network`.
            run: The run's id.
            seconds: After which nobody needs it any more; None while its owner lives.
        """
        labels = {LABEL_DEPLOYMENT: self.options.deployment, LABEL_OWNER: self.options.owner, LABEL_KIND: kind}
        if run:
            labels[LABEL_RUN] = run
        if seconds is not None:
            labels[LABEL_UNTIL] = str(int(time.time() + seconds))
        return labels

    async def start(self, name: str, config: Mapping[str, object]) -> Container:
        """Create, attach and start one container.

        Raises:
            SandboxError: The engine did not; nothing is left.
        """
        refuse_weak(config)
        self.live.add(name)
        try:
            created = await self.engine.call(self.engine.api.create_container_from_config, config, name)
            container_id = str(created["Id"])
            attachment = await Attachment.open(self.engine.socket_path, container_id)
            container = Container(name, container_id, attachment)
            try:
                await self.engine.call(self.engine.api.start, container_id)
            except BaseException:
                await attachment.close()
                raise
        except BaseException:
            await self.removed(name)
            raise
        return container

    def remove_later(self, container: Container) -> asyncio.Task[None]:
        """Kill and remove, while the caller goes on; `settled` waits for it."""
        return self.later(self._hang_up_and_remove(container))

    async def remove(self, container: Container) -> None:
        """Kill and remove, also when the caller is cancelled meanwhile."""
        await asyncio.shield(self.remove_later(container))

    async def removed(self, name: str) -> None:
        """The same, for a container that may not exist."""
        await asyncio.shield(self.later(self._remove(name)))

    async def room(self) -> None:
        """Until no more removals are under way than runs may be."""
        while len(self._removals) > self.options.concurrency:
            await asyncio.wait(self._removals, return_when=asyncio.FIRST_COMPLETED)

    async def settled(self) -> None:
        """Until every removal under way has ended."""
        while self._removals:
            await asyncio.wait(self._removals)

    def later(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Do a removal while the caller goes on."""
        task = asyncio.create_task(work)
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)
        return task

    async def _hang_up_and_remove(self, container: Container) -> None:
        await container.attachment.close()
        await self._remove(container.name)

    async def _remove(self, name: str) -> None:
        try:
            await self.engine.remove(self.engine.api.remove_container, name, v=True, force=True)
        except SandboxError as error:
            _log.warning(
                "a container could not be removed, and is left to the reaper: %s", error, extra={"container": name}
            )
        finally:
            self.live.discard(name)
