"""Runs commands in hardened containers of one Docker engine; the first provider of `sandbox.protocol.Sandbox`."""

import asyncio
import contextlib
import itertools
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from pydantic import SecretBytes, TypeAdapter

from sandbox import traced
from sandbox.docker.collecting import Collector
from sandbox.docker.container import PREFIX, Container, Containers, SandboxOptions
from sandbox.docker.conversation import SLACK_SECONDS, converse, counted, lifetime, result_of
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_FIRST_PROCESS, Place, container_config
from sandbox.docker.pool import WarmPool
from sandbox.docker.runtime import choose_runtime
from sandbox.docker.session import DockerSession, fetched
from sandbox.egress.network import Egress, Lease
from sandbox.egress.purposes import EgressSettings
from sandbox.errors import ImageMissing, SpecRefused
from sandbox.protocol import ArtifactStore, LastLook, OnOutput
from sandbox.result import RunResult
from sandbox.self_test import network_test, reaching_spec, self_test
from sandbox.spec import SECRETS_BYTES, RelativePath, RunSpec
from sandbox.wire import Surroundings, first_process_digest, order_of

_SECRET_NAME: Final[TypeAdapter[str]] = TypeAdapter(RelativePath)


@dataclass(frozen=True)
class Part:
    """What a container has that is one of several of the same run.

    Attributes:
        volume: The run's own volume; see `sandbox.docker.hardening.JOINT`.
        hostname: What it calls itself.
        started: Told of the container before it is given its order.
        last_look: Awaited right before it is; what it raises ends the run.
    """

    volume: str | None = None
    hostname: str = "sandbox"
    started: Callable[[Container], None] = lambda _: None
    last_look: LastLook | None = None


class DockerSandbox:
    """One engine, used by one worker.

    Args:
        engine: The engine; closed by who made it.
        store: Where artifacts go and come from.
        options: What the deployment decides.
        egress: What it opens; None is nothing.
    """

    def __init__(
        self, engine: Engine, store: ArtifactStore, options: SandboxOptions, egress: EgressSettings | None = None
    ) -> None:
        self._engine, self._store, self._options = engine, store, options
        self.containers = Containers(engine, options)
        self.egress = Egress(self.containers, egress) if egress is not None else None
        self.pool = WarmPool(self.containers, options.waiting) if options.waiting else None
        self._slots = asyncio.Semaphore(options.concurrency)
        self._images: set[str] = set()
        self._sessions: set[DockerSession] = set()
        self._runtime: str | None = None
        self._runtime_known = False

    async def run(
        self,
        spec: RunSpec,
        *,
        secrets: Mapping[str, SecretBytes] | None = None,
        on_output: OnOutput | None = None,
        last_look: LastLook | None = None,
    ) -> RunResult:
        """See `sandbox.protocol.Sandbox.run`."""
        called, part = time.monotonic(), Part(last_look=last_look)
        async with self.slot():
            return await self.run_part(spec, part, secrets=secrets, on_output=on_output, called=called)

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncGenerator[None]:
        """Wait until one more run may be; it counts until the end of the block."""
        async with self._slots:
            yield

    async def run_part(
        self,
        spec: RunSpec,
        part: Part,
        *,
        secrets: Mapping[str, SecretBytes] | None = None,
        on_output: OnOutput | None = None,
        called: float | None = None,
    ) -> RunResult:
        """One container of a run that has several, inside of the run's `slot`; otherwise like `run`."""
        called = time.monotonic() if called is None else called
        with traced.traced(spec) as span:
            result = await self._run_one(spec, part, _placeable(secrets or {}), on_output, called)
            traced.show(span, result)
            return counted(result)

    async def _run_one(
        self,
        spec: RunSpec,
        part: Part,
        secrets: Mapping[str, SecretBytes],
        on_output: OnOutput | None,
        called: float,
    ) -> RunResult:
        await self.containers.room()
        await self._check_image(spec.image)
        inputs = await fetched(self._store, spec)
        async with self._network(spec) as lease:
            around = lease.around if lease else Surroundings()
            around = replace(around, environment={**traced.inside(), **around.environment})
            order = order_of(spec, secrets, inputs, around)
            container, warm = await self._container(spec, part, lease)
            collector = Collector(spec, self._store, on_output)
            try:
                part.started(container)
                if lease is not None:
                    await lease.ready()
                if part.last_look is not None:
                    await part.last_look()
                started = time.monotonic()
                died_of_memory = await converse(self._engine, container, order, collector, within=lifetime(spec))
                if lease is not None:
                    await lease.finish()
            except BaseException:
                await self.containers.remove(container)
                raise
            removal = self.containers.remove_later(container)
            if lease is not None:
                lease.container, lease.removal = container.id, removal
        result = result_of(collector, died_of_memory, (called, started), warm=warm)
        if lease is not None:
            seen = {"connections": lease.connections, "downloads": lease.downloads}
            result = result.model_copy(update=seen)
        return result

    async def open_session(self, spec: RunSpec, *, seconds: float) -> tuple[DockerSession, RunResult]:
        """See `sandbox.protocol.Sessions.open_session`."""
        called = time.monotonic()
        if spec.purpose is not None:
            raise SpecRefused("a session has no network: leave the purpose out")
        await self.containers.room()
        await self._check_image(spec.image)
        container, warm = await self._container(spec, Part(), None, seconds=seconds)
        session = DockerSession(self._engine, self.containers, container, self._store, warm=warm)
        self._sessions = {one for one in self._sessions if not one.lost} | {session}
        return session, await session.run(spec, called=called)

    async def self_test(self, image: str) -> None:
        """See `sandbox.protocol.Sandbox.self_test`."""
        await self_test(self, image, own_kernel=await self._chosen_runtime() is not None)
        if self.egress is not None:
            for spec in self._network_tests(image):
                await network_test(self, spec)

    def _network_tests(self, image: str) -> Iterator[RunSpec]:
        """One run of each kind of network: what is told apart by the deployment alone is made by the same code."""
        egress = self.egress
        if egress is None:
            return
        plain = [name for name in egress.purposes if name not in egress.targets]
        for name in plain[:1]:
            yield reaching_spec(image, purpose=name, work=egress.purposes[name])
        for name, patterns in itertools.islice(egress.targets.items(), 1):
            yield reaching_spec(image, purpose=name, work=egress.purposes[name], target=patterns[0].example())

    async def close(self) -> None:
        """Remove what waits, and wait until everything is removed."""
        await asyncio.gather(*(session.close() for session in self._sessions))
        if self.pool is not None:
            await self.pool.close()
        if self.egress is not None:
            await self.egress.close()
        await self.containers.settled()

    async def _check_image(self, image: str) -> None:
        """The image is there, and has the first process that this code speaks with."""
        if image in self._images:
            return
        inspected = await self._engine.call(self._engine.api.inspect_image, image)
        config = cast("Mapping[str, object]", inspected.get("Config") or {})
        labels = cast("Mapping[str, str]", config.get("Labels") or {})
        if labels.get(LABEL_FIRST_PROCESS) != first_process_digest():
            raise ImageMissing(f"{image!r} was built for another version: build the images again")
        self._images.add(image)

    async def _chosen_runtime(self) -> str | None:
        if not self._runtime_known:
            info = await self._engine.call(self._engine.api.info)
            self._runtime = choose_runtime(self._options.runtime, info)
            self._runtime_known = True
        return self._runtime

    @contextlib.asynccontextmanager
    async def _network(self, spec: RunSpec) -> AsyncGenerator[Lease | None]:
        """The run's own network; none without a purpose."""
        if spec.purpose is None:
            yield None
            return
        if self.egress is None:
            raise SpecRefused(f"the purpose {spec.purpose!r} does not exist here: the deployment has none")
        async with self.egress.network(spec, spec.purpose, lifetime(spec) + SLACK_SECONDS) as lease:
            yield lease

    async def _container(
        self, spec: RunSpec, part: Part, lease: Lease | None, *, seconds: float = 0
    ) -> tuple[Container, bool]:
        """A container for this run, or for so many seconds, and whether it had been waiting."""
        network = lease.network if lease else "none"
        place = Place.of(spec.image, spec.limits, network=network, runtime=await self._chosen_runtime())
        place = place.model_copy(update={"volume": part.volume})
        if (
            self.pool is not None
            and lease is None
            and part.volume is None
            and (found := await self.pool.take(place, spec.limits))
        ):
            return found, True
        labels = self.containers.labels("run", run=spec.run_id, seconds=max(lifetime(spec), seconds) + SLACK_SECONDS)
        name = f"{PREFIX}run-{spec.run_id}-{uuid.uuid4().hex[:8]}"
        address = lease.address if lease else None
        hosts: Mapping[str, str] = lease.hosts if lease else {}
        config = container_config(place, spec.limits, labels, address=address, hostname=part.hostname, hosts=hosts)
        return await self.containers.start(name, config), False


def _placeable(secrets: Mapping[str, SecretBytes]) -> Mapping[str, SecretBytes]:
    for name in secrets:
        try:
            _SECRET_NAME.validate_python(name)
        except ValueError as error:
            raise SpecRefused(f"{name[:80]!r} is no name for a secret's file: use a plain relative path") from error
    if sum(len(secret.get_secret_value()) for secret in secrets.values()) > SECRETS_BYTES // 2:
        raise SpecRefused(f"the secrets are larger than {SECRETS_BYTES // 2} bytes: hand over less")
    return secrets
