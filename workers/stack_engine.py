"""Where the steps on stacks run: the sandbox worker's own engine, or one that a worker finds when it first needs it."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from activities.neon.migrations.running import Workplace as MigrationPlace
from activities.pulumi.ports import Workplace
from connectors.artifacts import ArtifactStore
from connectors.errors import Unavailable
from connectors.pulumi import identity
from sandbox.provisioning import EngineFound, Images
from sandbox.pulumi.runner import PulumiSandbox
from workers.process import CannotStart
from workers.sandbox import NoSandbox, Provision, provisioned
from workers.settings import Settings
from workers.stacks import FileProblem, Stacks

SUFFIX: Final = "-destructive"
"""Behind the deployment's name on the engine: each worker's reaper takes what its own worker does not know."""

_log = structlog.get_logger("banksman.stacks")


class OwnEngine:
    """The engine of a worker that has one; the image with Pulumi may be built while it runs.

    Args:
        provision: What it was started with.
        settings: Of this process.
    """

    def __init__(self, provision: Provision, settings: Settings) -> None:
        self._provision, self._record = provision, settings.sandbox_images
        self._pulumi = PulumiSandbox(provision.sandbox, ArtifactStore(settings.artifacts), Path(str(identity.__file__)))

    async def place(self) -> Workplace:
        """See `StackEngine.place`."""
        images = await asyncio.to_thread(_images, self._record)
        if images.pulumi is None:
            raise Unavailable(
                f"{str(self._record)!r} names no image with Pulumi: `python -m deploy.images` builds it, and "
                "the step goes on by itself"
            )
        return Workplace(
            pulumi=self._pulumi,
            sandbox=self._provision.sandbox,
            image=images.pulumi.digest,
            limits=self._provision.limits,
        )

    def workplace(self) -> MigrationPlace:
        """Where migrations run."""
        found = self._provision
        return MigrationPlace(found.sandbox, found.image, found.limits)


class FoundEngine:
    """An engine that is looked for when the first step on a stack needs it; a worker starts and works without.

    Close it at the worker's end. An engine that is replaced by another stays until then: runs may be on it.

    Args:
        settings: Of this process.
        stacks: What the deployment says of stacks.
    """

    def __init__(self, settings: Settings, stacks: Stacks | None) -> None:
        self._settings, self._stacks = settings, stacks
        self._open = contextlib.AsyncExitStack()
        self._finding = asyncio.Lock()
        self._engine: OwnEngine | None = None
        self._of: tuple[str, Path] | None = None
        self._problem = ""

    async def place(self) -> Workplace:
        """See `StackEngine.place`."""
        async with self._finding:
            engine = await self._engine_now()
            try:
                return await engine.place()
            except Unavailable as error:
                raise Unavailable(f"{error} ({self._problem})" if self._problem else str(error)) from error

    async def workplace(self) -> MigrationPlace:
        """See `MigrationEngine.workplace`."""
        async with self._finding:
            return (await self._engine_now()).workplace()

    async def _engine_now(self) -> OwnEngine:
        settings = await asyncio.to_thread(self._found)
        where = (settings.docker_host, settings.sandbox_images)
        if self._engine is None or where != self._of:
            try:
                provision = await self._open.enter_async_context(provisioned(settings, self._stacks))
            except NoSandbox as error:
                raise Unavailable(f"no container engine can be used yet: {error}") from error
            self._engine, self._of = OwnEngine(provision, settings), where
            _log.info("found the container engine", host=settings.docker_host)
        return self._engine

    async def aclose(self) -> None:
        """End what runs on it."""
        await self._open.aclose()

    def _found(self) -> Settings:
        settings = self._settings
        own = {"sandbox_deployment": f"{settings.sandbox_deployment}{SUFFIX}", "sandbox_waiting": 0}
        if settings.engine_file is None:
            return settings.model_copy(update=own)
        try:
            found = EngineFound.model_validate_json(settings.engine_file.read_bytes())
        except (OSError, ValidationError) as error:
            raise Unavailable(
                f"{str(settings.engine_file)!r} does not say where the container engine is: the step goes on by itself "
                "when one is there"
            ) from error
        self._problem = found.problem
        return settings.model_copy(update={**own, "docker_host": found.host, "sandbox_images": Path(found.images)})


async def load_stacks(settings: Settings) -> Stacks | None:
    """What the deployment says of stacks, None where it says nothing.

    Raises:
        CannotStart: The file is not right: told at once, before any step needs it.
    """
    if settings.stacks is None:
        return None
    try:
        return await asyncio.to_thread(
            Stacks.load, settings.stacks, environment=settings.environment, played=settings.rehearsal
        )
    except FileProblem as error:
        raise CannotStart(f"BANKSMAN_STACKS cannot be used:\n{error}") from error


def _images(record: Path) -> Images:
    try:
        return Images.model_validate_json(record.read_bytes())
    except (OSError, ValidationError) as error:
        raise Unavailable(f"{str(record)!r} is no record of the sandbox's images yet") from error
