"""The sandbox's images for a container engine in a rehearsal: taken from this machine's engine, kept for the next one.

Nothing can be built where nothing leads out. What was loaded once lies in this user's cache, by the images' digests,
and the next rehearsal finds it there: the first one takes half a minute and a gigabyte, and all others nothing.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from deploy.images.build import build_images
from deploy.images.pulumi_programs import pulumi_programs
from deploy.local.container_engine.found import DockerSettings, docker_engine
from deploy.local.tools import CACHE, tell
from sandbox.docker.engine import Engine
from sandbox.provisioning import Images

RECORD: Final = "images.json"
_SAVED: Final = "images.tar"
_HELD: Final = "docker-rehearsals"
_READY: Final = "loaded"
_LOCK: Final = "used"
_SECONDS: Final = 900
_PIECE: Final = 1 << 20
_POLL: Final = 0.5


async def hand_in(folder: Path, *, docker_host: str | None, stacks: bool) -> None:
    """Leave in a rehearsal's folder which images it needs, and the images themselves where the cache lacks them.

    Args:
        folder: The rehearsal's.
        docker_host: This machine's engine; None finds or starts one.
        stacks: Whether the image with Pulumi is among them.

    Raises:
        DockerUnavailable: There is no engine.
        ImageBuildFailed: An image cannot be built.
        SandboxError: The engine fails.
        ToolUnavailableError: Pulumi's programs cannot be had.
    """
    async with docker_engine(DockerSettings(host=docker_host, cache=CACHE)) as host:
        engine = Engine(host, threads=2, timeout=_SECONDS)
        try:
            programs = await pulumi_programs(CACHE / "tools", progress=tell) if stacks else None
            images = await build_images(engine, CACHE / RECORD, pulumi=programs)
            await asyncio.to_thread((folder / RECORD).write_text, images.model_dump_json())
            if not (_held(images) / _READY).exists():
                await engine.call(_save, engine, images, folder / _SAVED)
        finally:
            await engine.close()


def handed_in(folder: Path) -> Images:
    """Which images they are."""
    return Images.model_validate_json((folder / RECORD).read_bytes())


@contextlib.asynccontextmanager
async def data_for(folder: Path) -> AsyncGenerator[Path]:
    """Where an engine keeps these images; one rehearsal at a time, for an engine shares its data with no other.

    Others of other images are given up where nobody uses them.
    """
    kept = _held(handed_in(folder))
    await asyncio.to_thread(kept.mkdir, mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(kept / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _taken(descriptor):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(_POLL)
        await asyncio.to_thread(_forget_others, kept)
        yield kept / "data"
    finally:
        os.close(descriptor)


async def load(engine: Engine, folder: Path) -> None:
    """Give them to an engine that works on this data, unless it has them.

    Raises:
        FileNotFoundError: They are neither there nor handed in.
        SandboxError: The engine fails.
    """
    ready = _held(handed_in(folder)) / _READY
    if not ready.exists():
        await engine.call(_load, engine, folder / _SAVED)
        await asyncio.to_thread(ready.touch)
    await asyncio.to_thread((folder / _SAVED).unlink, missing_ok=True)


def _save(engine: Engine, images: Images, file: Path) -> None:
    url, names = f"{engine.api.base_url}/v{engine.api.api_version}/images/get", sorted(images.digests)
    with contextlib.closing(engine.api.get(url, params={"names": names}, stream=True, timeout=_SECONDS)) as answer:
        answer.raise_for_status()
        with file.open("wb") as into:
            for piece in answer.iter_content(_PIECE):
                into.write(piece)


def _load(engine: Engine, file: Path) -> None:
    with file.open("rb") as saved:
        for _ in engine.api.load_image(saved, quiet=True):
            pass  # it is loaded when it has said all


def _held(images: Images) -> Path:
    key = hashlib.sha256(" ".join(sorted(images.digests)).encode()).hexdigest()
    return CACHE / _HELD / key[:16]


def _forget_others(kept: Path) -> None:
    for other in kept.parent.iterdir():
        if other == kept:
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(other / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if _taken(descriptor):
                    shutil.rmtree(other, ignore_errors=True)
            finally:
                os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
