"""Keeps clean containers waiting, so that a run starts in a fraction of the time.

Each is used once and for one run. Its first process waits for its order; image, folders, network and runtime are what
it was made with, and only memory, processor and processes are set when it is used.
"""

import asyncio
import logging
import time
import uuid
from collections import deque
from typing import Final

from sandbox.docker.container import PREFIX, Container, Containers
from sandbox.docker.hardening import Place, container_config, resources
from sandbox.errors import SandboxError
from sandbox.spec import Limits

_READY_SECONDS: Final = 30
_OLDEST_SECONDS: Final = 1800
_LONGEST_RUN_SECONDS: Final = 86400  # a waiting container keeps its labels when it is used
_KINDS: Final = 8
_log = logging.getLogger(__name__)


class _Waiting:
    """A container whose first process has said that it waits."""

    def __init__(self, container: Container, limits: Limits) -> None:
        self.container, self.limits = container, limits
        self.since = time.monotonic()


class WarmPool:
    """The containers that wait, by place.

    Args:
        containers: Makes and removes them.
        size: How many wait for each place.
    """

    def __init__(self, containers: Containers, size: int) -> None:
        self._containers, self._size = containers, size
        self._waiting: dict[Place, deque[_Waiting]] = {}
        self._fillers: dict[Place, asyncio.Task[None]] = {}
        self._closed = False

    async def take(self, place: Place, limits: Limits) -> Container | None:
        """One that waits, with these limits; None when there is none, and then more are made for the next time.

        A container that died meanwhile is removed and the next one is tried.
        """
        waiting = self._waiting.setdefault(place, deque())
        try:
            while waiting:
                candidate = waiting.popleft()
                if await self._usable(candidate, limits):
                    return candidate.container
                self._containers.remove_later(candidate.container)
            return None
        finally:
            self._fill(place, limits)

    async def ready(self, place: Place, limits: Limits) -> None:
        """Until as many wait as may; for the start of a worker, benches and tests."""
        self._waiting.setdefault(place, deque())
        self._fill(place, limits)
        if (filler := self._fillers.get(place)) is not None:
            await asyncio.shield(filler)

    async def close(self) -> None:
        """Remove all that wait."""
        self._closed = True
        for filler in list(self._fillers.values()):
            filler.cancel()
        await asyncio.gather(*self._fillers.values(), return_exceptions=True)
        for waiting in self._waiting.values():
            for candidate in waiting:
                self._containers.remove_later(candidate.container)
            waiting.clear()
        await self._containers.settled()

    async def _usable(self, candidate: _Waiting, limits: Limits) -> bool:
        if time.monotonic() - candidate.since > _OLDEST_SECONDS or candidate.container.attachment.ended:
            return False
        if resources(candidate.limits) == resources(limits):
            return True
        try:
            await self._containers.engine.update(candidate.container.id, resources(limits))
        except SandboxError:
            return False
        except BaseException:
            self._containers.remove_later(candidate.container)
            raise
        return True

    def _fill(self, place: Place, limits: Limits) -> None:
        """Begin to make what is missing, unless that is under way; the place used longest ago gives way."""
        if self._closed or place in self._fillers or len(self._waiting[place]) >= self._size:
            return
        self._waiting[place] = self._waiting.pop(place)  # now the last in order of use
        while len(self._waiting) > _KINDS:
            oldest = next(iter(self._waiting))
            for candidate in self._waiting.pop(oldest):
                self._containers.remove_later(candidate.container)
        task = asyncio.create_task(self._make(place, limits))
        self._fillers[place] = task
        task.add_done_callback(lambda _: self._fillers.pop(place, None))

    async def _make(self, place: Place, limits: Limits) -> None:
        while (waiting := self._waiting.get(place)) is not None and len(waiting) < self._size:
            labels = self._containers.labels("waiting", seconds=_OLDEST_SECONDS + 2 * _LONGEST_RUN_SECONDS)
            name = f"{PREFIX}waiting-{uuid.uuid4().hex[:12]}"
            try:
                container = await self._containers.start(name, container_config(place, limits, labels))
            except SandboxError:
                _log.warning("no container could be made to wait; runs start cold until one can")
                return
            await self._await_ready(waiting, container, limits)

    async def _await_ready(self, waiting: deque[_Waiting], container: Container, limits: Limits) -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                frame = await container.attachment.frame()
        except BaseException as error:
            self._containers.remove_later(container)
            if isinstance(error, (SandboxError, TimeoutError)):
                return
            raise
        if frame is None:
            self._containers.remove_later(container)
            return
        waiting.append(_Waiting(container, limits))
