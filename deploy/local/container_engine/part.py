"""The container engine of the embedded environment: found or started, its images built, and watched while that runs.

It is a child of its own, because the first time takes minutes (Debian's packages, the images), which nothing but the
sandbox has to wait for; and because it is started again like any other when the engine dies. The image with Pulumi
comes last, for it takes longest: its programs are built from source.
"""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Final

from deploy.images.build import ImageBuildFailed, build_images
from deploy.images.pulumi_programs import pulumi_programs
from deploy.local.container_engine.found import DockerSettings, docker_engine
from deploy.local.tools import CACHE, ToolUnavailableError, tell
from sandbox.docker.engine import Engine
from sandbox.docker.reaper import remove_all
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.provisioning import EngineFound

_WATCH: Final = 2.0


async def keep_engine(told: Path, *, deployment: str, docker_host: str | None = None, cache: Path = CACHE) -> None:
    """Bring an engine up, say where it is in the file `told`, and stay until SIGTERM; then nothing of ours is on it.

    Args:
        told: The file.
        deployment: By which the sandbox's containers, networks and volumes are known as this environment's.
        docker_host: An engine to use; None finds or starts one.
        cache: For an engine of our own, and the record of images.

    Raises:
        DockerUnavailable: There is none, and none can be started here.
        ImageBuildFailed: An image could not be built.
        SandboxUnavailable: The engine died.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    record = cache / "images.json"
    async with docker_engine(DockerSettings(host=docker_host, cache=cache)) as host:
        engine = Engine(host)
        try:
            await build_images(engine, record)
            found = EngineFound(host=host, images=str(record))
            await _tell(told, found)
            building = asyncio.create_task(build_pulumi(engine, told, found))
            try:
                await _watch(engine, ended)
            finally:
                building.cancel()
                await asyncio.gather(building, return_exceptions=True)
            # The workers have ended, and can leave something only when they were killed.
            await remove_all(engine, deployment)
        finally:
            await asyncio.to_thread(told.unlink, missing_ok=True)
            await engine.close()


async def clear_engine(told: Path, deployment: str) -> None:
    """Remove what an environment that was killed has left on the engine that its file names, if that still runs."""
    try:
        found = EngineFound.model_validate_json(await asyncio.to_thread(told.read_bytes))
    except (FileNotFoundError, ValueError):
        return
    engine = Engine(found.host, threads=4)
    try:
        await remove_all(engine, deployment)
    except SandboxUnavailable:
        return  # it ended with its environment; the next one begins with looking after what it holds
    finally:
        await engine.close()
    await asyncio.to_thread(told.unlink, missing_ok=True)


async def _tell(told: Path, found: EngineFound) -> None:
    """In one step: a reader sees the old or the new."""

    def write() -> None:
        draft = told.with_suffix(".new")
        draft.write_text(found.model_dump_json() + "\n")
        draft.replace(told)

    await asyncio.to_thread(write)


async def build_pulumi(engine: Engine, told: Path, found: EngineFound) -> None:
    """Build the image with Pulumi, and tell of it; whoever needs it waits for it in Temporal."""
    try:
        programs = await pulumi_programs(Path(found.images).parent / "tools", progress=tell)
        await build_images(engine, Path(found.images), pulumi=programs)
    except (ToolUnavailableError, ImageBuildFailed, SandboxError, OSError) as error:
        tell(f"there is no image with Pulumi: {error}")
        await _tell(told, found.model_copy(update={"pulumi": "missing", "problem": str(error)}))
    else:
        await _tell(told, found.model_copy(update={"pulumi": "ready"}))


async def _watch(engine: Engine, ended: asyncio.Event) -> None:
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WATCH):
                await ended.wait()
        try:
            await engine.call(engine.api.ping)
        except SandboxUnavailable:
            if not ended.is_set():
                raise
