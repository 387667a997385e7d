"""The sandbox of a worker: made for one engine, tested before anything runs in it, and cleaned up after a crash."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Never

import structlog
from pydantic import ValidationError

from connectors.artifacts import ArtifactStore
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.docker.reaper import Reaper
from sandbox.docker.runtime import has_user_namespace
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.targets import DATABASE
from sandbox.errors import SandboxError
from sandbox.provisioning import Images
from sandbox.spec import MIB, Limits
from workers.settings import Settings
from workers.stacks import Stacks

_ROUND: Final = 60.0
_OUTPUT_BYTES: Final = 64 * 1024
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_log = structlog.get_logger("banksman.sandbox")


class NoSandbox(Exception):
    """The sandbox cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Provision:
    """What the steps need.

    Attributes:
        image: What commands run in, by digest.
        limits: What each command may use.
        updates: What lock files are written in, by digest; None where it was not built.
        egress: What runs may reach; None is nothing.
    """

    sandbox: DockerSandbox
    image: str
    limits: Limits
    updates: str | None = None
    egress: EgressSettings | None = None


@contextlib.asynccontextmanager
async def provisioned(settings: Settings, stacks: Stacks | None = None) -> AsyncGenerator[Provision]:
    """A sandbox that passed its self-test; what runs in it ends with the block.

    Args:
        settings: Of this process.
        stacks: What the deployment says of stacks, with the network that leads to them.

    Raises:
        NoSandbox: The engine, its images or its isolation is not as it must be.
    """
    images = await asyncio.to_thread(_images, settings.sandbox_images)
    options = SandboxOptions(
        deployment=settings.sandbox_deployment,
        runtime=settings.sandbox_runtime,
        concurrency=settings.sandbox_concurrency,
        waiting=settings.sandbox_waiting,
    )
    try:
        egress = await asyncio.to_thread(_egress, settings, images)
        if stacks is not None:
            egress = stacks.said.opened(egress)
        engine = Engine(settings.docker_host)
    except (SandboxError, ValueError, OSError) as error:
        raise NoSandbox(str(error)) from error
    sandbox = DockerSandbox(engine, ArtifactStore(settings.artifacts), options, egress)
    reaper = Reaper(engine, options, live=lambda: sandbox.containers.live)
    try:
        await _check(engine, sandbox, reaper, images.base.digest)
        rounds = asyncio.create_task(_rounds(reaper))
        updates = images.updates.digest if images.updates is not None else None
        yield Provision(sandbox, images.base.digest, _limits(settings.sandbox_memory_mib), updates, egress)
        rounds.cancel()
        await asyncio.gather(rounds, return_exceptions=True)
    finally:
        with contextlib.suppress(SandboxError):
            await sandbox.close()
        await engine.close()


async def _check(engine: Engine, sandbox: DockerSandbox, reaper: Reaper, image: str) -> None:
    try:
        reaped = await reaper.round()
        _log.info("left by a worker that died", containers=len(reaped.containers), networks=len(reaped.networks))
        await sandbox.self_test(image)
        info = await engine.call(engine.api.info)
    except SandboxError as error:
        raise NoSandbox(f"the sandbox cannot be used: {error}") from error
    if has_user_namespace(info):
        _log.info("the sandbox passed its self-test", user_namespace=True)
    else:
        _log.warning(
            "the sandbox passed its self-test, but root in a container is root on the host: a flaw in the kernel would "
            "be enough to get out; turn on userns-remap",
            user_namespace=False,
        )


async def _rounds(reaper: Reaper) -> Never:
    """Not a schedule of Temporal's: each worker looks after the engine that it alone reaches."""
    while True:
        await asyncio.sleep(_ROUND)
        try:
            await reaper.round()
        except SandboxError as error:
            _log.warning("the reaper's round failed; the next one tries again", why=str(error))


def _images(record: Path) -> Images:
    try:
        return Images.model_validate_json(record.read_bytes())
    except (OSError, ValidationError) as error:
        raise NoSandbox(
            f"{str(record)!r} is no record of the sandbox's images: `python -m deploy.images` builds them and writes it"
        ) from error


def _egress(settings: Settings, images: Images) -> EgressSettings:
    mirrors = settings.sandbox_mirrors
    if settings.sandbox_authorities is not None:
        found = _CERTIFICATE.findall(settings.sandbox_authorities.read_text(encoding="utf-8"))
        mirrors = {
            name: one.model_copy(update={"authorities": "\n".join((one.authorities, *found))})
            for name, one in mirrors.items()
        }
    databases = settings.sandbox_databases
    return EgressSettings(
        purposes=settings.sandbox_purposes,
        mirrors=mirrors,
        targets={DATABASE: databases} if databases else {},
        kept_for={DATABASE: "migration"} if databases else {},
        proxy_image=images.proxy.digest,
    )


def _limits(memory_mib: int) -> Limits:
    """Half of the memory for the work tree, an eighth for `/tmp`: both lie in memory."""
    memory = memory_mib * MIB
    return Limits(
        memory_bytes=memory,
        workspace_bytes=memory // 2,
        tmp_bytes=memory // 8,
        cpus=1,
        pids=512,
        output_bytes=_OUTPUT_BYTES,
    )
