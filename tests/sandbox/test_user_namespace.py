"""The same attacks on an engine with a user namespace of its own, and what happens when an engine is restarted."""

import asyncio
import contextlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Protocol, cast

import pytest
import pytest_asyncio
from pydantic import SecretBytes

from connectors.artifacts import ArtifactStore
from deploy.local.container_engine.found import DockerSettings, docker_engine
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.docker.reaper import Reaper
from sandbox.docker.runtime import has_user_namespace
from sandbox.errors import CapacityExhausted, ImageMissing, SandboxUnavailable
from sandbox.provisioning import Images
from sandbox.spec import InputFile, Limits, RunSpec
from tests.sandbox.attacks import escapes
from tests.sandbox.conftest import leftovers

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine with a user namespace of its own"),
]
# The remapped root must be able to walk to its data: not below a home folder.
SMALL_DISK = "1200m"
SETTINGS = DockerSettings(cache=Path("/var/tmp/banksman"), userns_remap=True)  # noqa: S108 - root's own, made once


class Moving(Protocol):
    """Two calls of the SDK that only these tests make."""

    def get_image(self, image: str) -> Iterable[bytes]: ...
    def load_image(self, data: Iterable[bytes], *, quiet: bool) -> Iterable[object]: ...


@pytest_asyncio.fixture
async def remapped(engine: Engine, images: Images) -> AsyncIterator[Engine]:
    """A second engine, with the first one's image."""
    async with docker_engine(SETTINGS) as host:
        other = Engine(host)
        await bring(engine, other, images.base.digest)
        yield other
        await other.close()


async def bring(source: Engine, target: Engine, image: str) -> None:
    """The first time takes seconds; the second engine keeps what it has."""
    try:
        await target.call(target.api.inspect_image, image)
    except ImageMissing:
        await target.call(move, source, target, image)


def move(source: Engine, target: Engine, image: str) -> None:
    content = cast("Moving", source.api).get_image(image)
    for _ in cast("Moving", target.api).load_image(content, quiet=True):
        pass


def spec(image: str, *argv: str, program: str = "") -> RunSpec:
    file = InputFile(path="attack.py", content=(escapes.PRELUDE + program).encode())
    limits = Limits(wall_seconds=60, output_bytes=4_000_000)
    return RunSpec(run_id=uuid.uuid4().hex[:12], image=image, argv=argv, files=(file,), limits=limits)


async def test_every_attack_fails_there_too(
    remapped: Engine, image: str, store: ArtifactStore, options: SandboxOptions
) -> None:
    assert has_user_namespace(await remapped.call(remapped.api.info))
    sandbox = DockerSandbox(remapped, store, options)
    await sandbox.self_test(image)
    programs = (
        escapes.KERNEL,
        escapes.PRIVILEGES,
        escapes.FIRST_PROCESS,
        escapes.KERNEL_FILES,
        escapes.ROOT_FOLDER,
        escapes.ENGINE_SOCKET.format(socket=remapped.socket_path),
    )
    for program in programs:
        result = await sandbox.run(spec(image, "python3", "attack.py", program=program))
        assert result.exit_code == 0, result.stderr.text
        assert "tried" in result.stdout.text
        assert "ESCAPED" not in result.stdout.text
    await sandbox.close()
    assert await leftovers(remapped, options.deployment) == []


async def test_who_runs_there_is_nobody_on_the_host(
    remapped: Engine, image: str, store: ArtifactStore, options: SandboxOptions
) -> None:
    sandbox = DockerSandbox(remapped, store, options)
    uids: list[str] = []

    def look(*_: object) -> None:
        if uids:
            return
        (container,) = remapped.api.containers(all=False, filters={"label": f"banksman.run={run.run_id}"})
        state = cast("dict[str, int]", remapped.api.inspect_container(str(container["Id"]))["State"])
        status = Path(f"/proc/{state['Pid']}/status").read_text()
        uids.extend(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))

    run = spec(image, "sh", "-c", "id -u; cat /run/secrets/key; echo x > out; sleep 3")
    result = await sandbox.run(run, secrets={"key": SecretBytes(b"canary\n")}, on_output=look)
    assert result.stdout.text == "10001\ncanary\n"
    assert uids
    assert all(int(uid) > 100_000 for uid in uids)
    await sandbox.close()


async def test_an_engine_that_is_restarted_during_a_run(
    engine: Engine, image: str, store: ArtifactStore, options: SandboxOptions
) -> None:
    """The run ends as the provider's failure, the next engine's first round leaves nothing, and work goes on."""
    async with docker_engine(SETTINGS) as host:
        first = Engine(host)
        await bring(engine, first, image)
        sandbox = DockerSandbox(first, store, options)
        began = asyncio.Event()
        command = spec(image, "sh", "-c", "echo on; sleep 100")
        task = asyncio.create_task(sandbox.run(command, on_output=lambda _stream, _data: began.set()))
        await asyncio.wait_for(began.wait(), 60)
    with pytest.raises(SandboxUnavailable):
        await task
    await sandbox.close()
    async with docker_engine(SETTINGS):
        assert (await leftovers(first, options.deployment)) != []
        reaper = Reaper(first, options, lambda: sandbox.containers.live)
        assert (await reaper.round()).failed == 0
        assert await leftovers(first, options.deployment) == []
        assert (await sandbox.run(spec(image, "true"))).exit_code == 0
        await sandbox.close()
        await first.close()


async def test_two_engines_at_once(
    engine: Engine, remapped: Engine, image: str, store: ArtifactStore, options: SandboxOptions
) -> None:
    """One worker's options on both: runs go on at once, and a round on one engine leaves the other's run alone."""
    one, other = DockerSandbox(engine, store, options), DockerSandbox(remapped, store, options)
    began = asyncio.Event()
    command = spec(image, "sh", "-c", "echo on; sleep 1; echo done")
    going = asyncio.create_task(other.run(command, on_output=lambda _stream, _data: began.set()))
    await asyncio.wait_for(began.wait(), 60)
    assert (await one.run(spec(image, "echo", "here"))).stdout.text == "here\n"
    await one.close()
    assert (await Reaper(engine, options, lambda: one.containers.live).round()).containers == ()
    assert (await going).stdout.text == "on\ndone\n"
    await other.close()
    assert [*await leftovers(engine, options.deployment), *await leftovers(remapped, options.deployment)] == []


async def test_an_engine_that_has_ended_leaves_no_folder_of_its_sockets(
    engine: Engine, image: str, store: ArtifactStore, options: SandboxOptions
) -> None:
    async with docker_engine(SETTINGS) as host:
        runtime = Path((SETTINGS.cache / "docker-userns" / "runtime").read_text())
        other = Engine(host)
        await bring(engine, other, image)
        sandbox = DockerSandbox(other, store, options)
        assert (await sandbox.run(spec(image, "true"))).exit_code == 0
        await sandbox.close()
        await other.close()
        assert len(list(runtime.parent.glob(f"{runtime.name}*"))) == 2, "one more for the ids of its own"
    assert list(runtime.parent.glob(f"{runtime.name}*")) == []


@pytest_asyncio.fixture
async def cramped(engine: Engine, image: str) -> AsyncIterator[tuple[Engine, Path]]:
    """An engine whose disk is small; and where its data lie."""
    folder = Path(tempfile.mkdtemp(prefix="banksman-cramped-", dir="/var/tmp"))
    settings = DockerSettings(cache=folder, userns_remap=True)
    await command("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=0711", "tmpfs", str(folder))
    try:
        async with docker_engine(settings) as host:
            other = Engine(host)
            await bring(engine, other, image)
            yield other, folder
            await other.close()
    finally:
        await command("umount", "--lazy", str(folder))
        folder.rmdir()


async def command(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(*argv)
    assert await process.wait() == 0


async def test_an_engine_whose_disk_is_full_says_so_and_recovers(
    cramped: tuple[Engine, Path], image: str, store: ArtifactStore, options: SandboxOptions
) -> None:
    engine, folder = cramped
    sandbox = DockerSandbox(engine, store, options)
    assert (await sandbox.run(spec(image, "true"))).exit_code == 0
    await sandbox.containers.settled()
    with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 20))
    with contextlib.suppress(OSError), (folder / "crumbs").open("wb", buffering=0) as crumbs:
        while True:
            crumbs.write(b"x" * 4096)
    with pytest.raises(CapacityExhausted, match="no room for one more run"):
        await sandbox.run(spec(image, "true"))
    assert await leftovers(engine, options.deployment) == []
    (folder / "filler").unlink()
    assert (await sandbox.run(spec(image, "true"))).exit_code == 0
    await sandbox.close()
