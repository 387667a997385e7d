"""What the platform does: keeps releases running, shares traffic between two of them, and ends the older one in time.

What was declared outlives the process, in a file for each service; releases do not, and are started again with it.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from deploy.local.platform.container import DidNotStart, Running
from deploy.local.platform.line import Answer, NoAnswer, Request
from deploy.local.platform.model import Release, Rollout, Service, Turns, Wanted, Watch
from deploy.local.platform.needs import NotItsOwn, needs_of
from deploy.local.platform.outward import Answering
from deploy.local.platform.stores import Stores
from sandbox.docker.container import Containers
from sandbox.errors import SandboxError

_TURN: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_log = structlog.get_logger("banksman.platform")


def pause_after(failures: int) -> float:
    """Seconds until a release that did not start so often is tried again."""
    return min(2.0 ** min(failures, 10), _LONGEST_PAUSE)


class Exists(Exception):
    """There is a service of that name already, and another one."""


class Unknown(Exception):
    """There is no such service."""


class Platform:
    """The services of one environment.

    Args:
        containers: Makes their containers.
        image: What these are made from, by digest.
        folder: Where what was declared is kept.
        clock: Seconds since the epoch.
        stores: Asks for services what they need; None where nothing can be asked.
    """

    def __init__(
        self,
        containers: Containers,
        image: str,
        folder: Path,
        *,
        clock: Callable[[], float] = time.time,
        stores: Stores | None = None,
    ) -> None:
        self._containers, self._image, self._folder, self._clock = containers, image, folder, clock
        self._stores = stores
        self._services: dict[str, Service] = {}
        self._running: dict[tuple[str, str], Running] = {}
        self._turns: dict[str, Turns] = {}
        self._watches: dict[str, Watch] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        for file in sorted(folder.glob("*.json")):
            service = Service.model_validate_json(file.read_bytes())
            self._services[service.wanted.name] = service

    @property
    def services(self) -> Mapping[str, Service]:
        """Those there are, by name."""
        return self._services

    def find(self, name: str) -> Service:
        """One of them.

        Raises:
            Unknown: There is none.
        """
        if name not in self._services:
            raise Unknown(name)
        return self._services[name]

    async def create(self, wanted: Wanted) -> None:
        """Bring up a service; asked again for the same, it is there already.

        Raises:
            Exists: There is another of that name.
            DidNotStart: It does not serve, and is not there.
            SandboxError: The container engine does not do its part.
        """
        async with self._lock(wanted.name):
            if (there := self._services.get(wanted.name)) is not None and there.wanted != wanted:
                raise Exists(wanted.name)
            await self._to(wanted, Rollout(current=wanted.release) if there is None else there.rollout)

    async def change(self, wanted: Wanted) -> None:
        """Bring up a release beside the one that serves; where it does not serve, nothing has changed.

        Raises:
            Unknown: There is no such service.
            DidNotStart: It does not serve.
            SandboxError: The container engine does not do its part.
        """
        async with self._lock(wanted.name):
            rollout = self.find(wanted.name).rollout.after(now=self._clock())
            await self._to(wanted, rollout.towards(wanted, now=self._clock()))
            self._watches.pop(wanted.name, None)

    async def delete(self, name: str) -> None:
        """End a service and all of it.

        Raises:
            Unknown: There is none.
        """
        async with self._lock(name):
            self.find(name)
            self._file(name).unlink(missing_ok=True)
            del self._services[name]
            await self._settle(name)

    async def answer(self, name: str, request: Request, *, newest: bool = False) -> tuple[Answer, str]:
        """Have a service answer a visitor; the answer, and of which release it is.

        Args:
            name: Of the service.
            request: Of the visitor.
            newest: Of the newest release, whatever its share is.

        Raises:
            Unknown: There is no such service.
            NoAnswer: It does not answer.
        """
        rollout = self.find(name).rollout
        if newest and rollout.failed:
            raise NoAnswer("the newest release did not hold while it was watched")
        release = rollout.newest if newest else self._turns.setdefault(name, Turns()).take(rollout)
        running = self._running.get((name, release.digest))
        if running is None or not running.alive:
            raise NoAnswer("the release is being started")
        watch = self._watches.setdefault(name, Watch())
        try:
            said = await running.ask(request)
        except NoAnswer:
            watch.note(release.digest, well=False)
            raise
        watch.note(release.digest, well=said.status < 500)  # noqa: PLR2004 - HTTP's own number
        return said, release.digest

    async def keep(self) -> None:
        """Do what time brings, until cancelled: watches end, and what died is started again, ever more rarely."""
        loop, failures, not_before = asyncio.get_running_loop(), Counter[str](), dict[str, float]()
        while True:
            for name in [name for name in self._services if loop.time() >= not_before.get(name, 0)]:
                try:
                    await self.turn(name)
                    failures.pop(name, None)
                except (DidNotStart, SandboxError) as error:
                    failures[name] += 1
                    not_before[name] = loop.time() + pause_after(failures[name])
                    _log.warning("a release is not there, and is tried again", service=name, why=str(error))
            await asyncio.sleep(_TURN)

    async def turn(self, name: str) -> None:
        """What there is to do for one service now.

        Raises:
            DidNotStart: A release does not serve.
            SandboxError: The container engine does not do its part.
        """
        async with self._lock(name):
            service = self._services.get(name)
            if service is None:
                return
            rollout = service.rollout
            newer = rollout.newer and self._running.get((name, rollout.newer.digest))
            watch = self._watches.setdefault(name, Watch())
            if newer and (not newer.alive or watch.is_ill(newer.release.digest)):
                _log.warning("a release did not hold while it was watched", service=name, release=newer.release.digest)
                rollout = rollout.without_newer()
            await self._to(service.wanted, rollout.after(now=self._clock()))

    async def close(self) -> None:
        """End all releases; what was declared stays."""
        running, self._running = list(self._running.values()), {}
        await asyncio.gather(*(one.close() for one in running), return_exceptions=True)

    async def _to(self, wanted: Wanted, rollout: Rollout) -> None:
        for release in rollout.releases:
            await self._started(wanted.name, release)
        service = Service(wanted=wanted, rollout=rollout)
        if self._services.get(wanted.name) != service:
            self._write(service)
            self._services[wanted.name] = service
        await self._settle(wanted.name)

    async def _started(self, name: str, release: Release) -> None:
        key = name, release.digest
        there = self._running.get(key)
        if there is not None and there.alive:
            return
        if there is not None:
            del self._running[key]
            await there.close()
        self._running[key] = await Running.start(
            self._containers, self._image, release, service=name, answering=self._answering(name, release)
        )

    def _answering(self, name: str, release: Release) -> Answering | None:
        try:
            needs = needs_of(release, name)
        except NotItsOwn as error:
            raise DidNotStart(str(error)) from error
        return self._stores.answering(needs) if needs and self._stores is not None else None

    async def _settle(self, name: str) -> None:
        """End what is needed no more."""
        service = self._services.get(name)
        needed = {one.digest for one in service.rollout.releases} if service else set[str]()
        for key in [key for key in self._running if key[0] == name and key[1] not in needed]:
            with contextlib.suppress(SandboxError):
                await self._running.pop(key).close()

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _write(self, service: Service) -> None:
        """In one step: the next process reads the old or the new."""
        file = self._file(service.wanted.name)
        draft = file.with_suffix(".new")
        draft.write_text(service.model_dump_json(by_alias=True), encoding="utf-8")
        draft.chmod(0o600)
        draft.replace(file)
