"""A container that stays for one order after another, all on the same work tree.

Each order is a run like any other: when its command ends, everything that it began is killed, so that nothing of it
is alive during the next. What it changed in the workspace and in `/tmp` stays. The session lives as long as the line
to its first process: when the worker dies, the container ends by itself, and with it the session.
"""

import asyncio
import time
from typing import Final

from sandbox import traced
from sandbox.docker.collecting import Collector
from sandbox.docker.container import Container, Containers
from sandbox.docker.conversation import converse, counted, lifetime, result_of
from sandbox.docker.engine import Engine
from sandbox.errors import SandboxUnavailable
from sandbox.protocol import ArtifactStore
from sandbox.result import RunResult
from sandbox.spec import RunSpec
from sandbox.wire import Fetched, Surroundings, order_of

_LOST: Final = "the session's container is gone, and what it held with it"


async def fetched(store: ArtifactStore, spec: RunSpec) -> list[Fetched]:
    """A spec's artifacts, with their bytes."""
    return [
        Fetched(path=item.path, content=await store.get(item.reference), unpack_into=item.unpack_into)
        for item in spec.inputs
    ]


class DockerSession:
    """See `sandbox.protocol.Session`.

    Args:
        engine: Where it is.
        containers: Removes it.
        container: Its own, whose first process waits.
        store: Where artifacts go and come from.
        warm: Whether the container was there before.
    """

    def __init__(
        self, engine: Engine, containers: Containers, container: Container, store: ArtifactStore, *, warm: bool
    ) -> None:
        self._engine, self._containers, self.container, self._store = engine, containers, container, store
        self._warm, self._orders, self._open = warm, 0, True
        self._turn = asyncio.Lock()

    @property
    def lost(self) -> bool:
        """See `sandbox.protocol.Session.lost`."""
        return not self._open or self.container.attachment.ended

    async def run(self, spec: RunSpec, *, called: float | None = None) -> RunResult:
        """See `sandbox.protocol.Session.run`."""
        async with self._turn:
            if not self._open:
                raise SandboxUnavailable(_LOST)
            try:
                return await self._carry_out(spec, time.monotonic() if called is None else called)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """See `sandbox.protocol.Session.close`."""
        if self._open:
            self._open = False
            await self._containers.remove(self.container)

    async def _carry_out(self, spec: RunSpec, called: float) -> RunResult:
        with traced.traced(spec) as span:
            around = Surroundings(environment=traced.inside())
            order = order_of(spec, {}, await fetched(self._store, spec), around, stays=True)
            collector = Collector(spec, self._store, None)
            started, follows = time.monotonic(), self._orders > 0
            self._orders += 1
            within = lifetime(spec)
            died = await converse(self._engine, self.container, order, collector, within=within, follows=follows)
            result = result_of(collector, died, (called, started), warm=self._warm or follows)
            traced.show(span, result)
        if died:
            await self.close()
        return counted(result)
