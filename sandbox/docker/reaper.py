"""Removes what a worker that died has left: by label only, and never what a live run still needs."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import cast

from pydantic import BaseModel, ConfigDict

from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine, Json, NotThere
from sandbox.docker.hardening import LABEL_DEPLOYMENT, LABEL_OWNER, LABEL_UNTIL
from sandbox.errors import SandboxError
from sandbox.metrics import REAPED

_log = logging.getLogger(__name__)


class Reaped(BaseModel):
    """What one round removed, by name."""

    model_config = ConfigDict(frozen=True)

    containers: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    failed: int = 0


class Reaper:
    """One worker's rounds.

    What carries this deployment's label goes when it is this worker's own and this worker does not know of it (a
    worker of the same name died before), or when its time has passed, whosever it is.

    Args:
        engine: The engine to clean.
        options: Deployment and owner.
        live: The names that this worker has in use right now; asked after the engine was, so that what appears
            meanwhile is never taken for garbage.
        ended: The deployment has no worker any more: all that carries its label goes.
    """

    def __init__(
        self, engine: Engine, options: SandboxOptions, live: Callable[[], Collection[str]], *, ended: bool = False
    ) -> None:
        self._engine, self._options, self._live, self._ended = engine, options, live, ended
        self._failed = 0

    async def round(self) -> Reaped:
        """Remove what is garbage now.

        Raises:
            SandboxUnavailable: The engine does not answer.
        """
        self._failed = 0
        api = self._engine.api
        ours = {"label": f"{LABEL_DEPLOYMENT}={self._options.deployment}"}
        containers = await self._engine.call(api.containers, all=True, filters=ours)
        removed = await self._each(self._container, containers)
        networks = await self._engine.call(api.networks, filters=ours)
        removed_networks = await self._each(self._network, networks)
        volumes = cast("list[Json]", (await self._engine.call(api.volumes, filters=ours)).get("Volumes") or [])
        removed_volumes = await self._each(self._volume, volumes)
        kinds = {"container": removed, "network": removed_networks, "volume": removed_volumes}
        for kind, names in kinds.items():
            REAPED.labels(kind=kind).inc(len(names))
        return Reaped(
            containers=removed,
            networks=removed_networks,
            volumes=removed_volumes,
            failed=self._failed,
        )

    async def _each(self, remove: Callable[[Json], Awaitable[str]], items: Sequence[Json]) -> tuple[str, ...]:
        """What was removed; one that the engine does not let go of keeps none of the others waiting."""
        return tuple(name for name in await asyncio.gather(*(remove(item) for item in items)) if name)

    async def _container(self, item: Json) -> str:
        name = cast("list[str]", item.get("Names") or ["/"])[0].removeprefix("/")
        if not self._garbage(name, item):
            return ""
        return await self._remove(name, self._engine.api.remove_container, v=True, force=True)

    async def _network(self, item: Json) -> str:
        name = str(item.get("Name", ""))
        if not self._garbage(name, item):
            return ""
        try:
            found = await self._engine.call(self._engine.api.inspect_network, name)
        except NotThere:
            return ""
        for attached in cast("Mapping[str, object]", found.get("Containers") or {}):
            await self._remove(name, self._engine.api.disconnect_container_from_network, first=attached, force=True)
        return await self._remove(name, self._engine.api.remove_network)

    async def _volume(self, item: Json) -> str:
        name = str(item.get("Name", ""))
        if not self._garbage(name, item):
            return ""
        return await self._remove(name, self._engine.api.remove_volume, force=True)

    def _garbage(self, name: str, item: Json) -> bool:
        labels = cast("Mapping[str, str]", item.get("Labels") or {})
        if labels.get(LABEL_DEPLOYMENT) != self._options.deployment or name in self._live():
            return False
        until = labels.get(LABEL_UNTIL, "")
        passed = until.isdigit() and int(until) < time.time()
        return self._ended or passed or labels.get(LABEL_OWNER) == self._options.owner

    async def _remove(self, name: str, method: Callable[..., None], *, first: str = "", **how: bool) -> str:
        """The name, when it was removed now; what somebody else removed first is fine."""
        try:
            there = await self._engine.remove(method, *([first] if first else []), name, **how)
        except SandboxError as error:
            self._failed += 1
            _log.warning("the reaper tries again in its next round: %s", error, extra={"resource": name})
            return ""
        return name if there else ""


async def remove_all(engine: Engine, deployment: str) -> Reaped:
    """Remove everything of a deployment that has ended, whoever of it made it.

    Raises:
        SandboxUnavailable: The engine does not answer.
    """
    return await Reaper(engine, SandboxOptions(deployment=deployment), frozenset[str], ended=True).round()
