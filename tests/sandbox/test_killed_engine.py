"""An engine of ours that is killed: everything in its containers ends, and the next start ends what keeps them."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import psutil
import pytest
import pytest_asyncio

from connectors.artifacts import ArtifactStore
from deploy.local.container_engine.found import DockerSettings, docker_engine
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.errors import SandboxUnavailable
from tests.sandbox.test_user_namespace import bring, spec

pytestmark = [
    pytest.mark.docker,
    pytest.mark.alone,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start an engine of its own"),
]


@pytest.fixture
def settings() -> Iterator[DockerSettings]:
    """An engine of this test's own; the remapped root must be able to walk to its data."""
    with tempfile.TemporaryDirectory(prefix="bm-", dir="/var/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield DockerSettings(cache=Path(folder), userns_remap=True)


class Victim:
    """A command on an engine that will be killed."""

    def __init__(self, settings: DockerSettings, first: psutil.Process, keeper: psutil.Process) -> None:
        self._settings, self.first, self.keeper = settings, first, keeper

    def kill_the_engine(self) -> None:
        pid = int((self._settings.cache / "docker-userns" / "docker.pid").read_text())
        os.kill(pid, signal.SIGKILL)


@pytest_asyncio.fixture
async def victim(settings: DockerSettings, engine: Engine, image: str, store: ArtifactStore) -> AsyncIterator[Victim]:
    async with docker_engine(settings) as host:
        own = Engine(host)
        await bring(engine, own, image)
        sandbox = DockerSandbox(own, store, SandboxOptions(deployment="victim"))
        began = asyncio.Event()
        command = spec(image, "sh", "-c", "echo on; sleep 300")
        task = asyncio.create_task(sandbox.run(command, on_output=lambda _stream, _data: began.set()))
        await asyncio.wait_for(began.wait(), 60)
        (container,) = await own.call(own.api.containers, all=False, filters={"label": "banksman.deployment=victim"})
        inspected = await own.call(own.api.inspect_container, str(container["Id"]))
        first = psutil.Process(cast("dict[str, int]", inspected["State"])["Pid"])
        keeper = first.parent()
        assert keeper is not None
        assert "containerd-shim" in keeper.cmdline()[0]
        yield Victim(settings, first, keeper)
        with pytest.raises(SandboxUnavailable):
            await task
        await sandbox.close()
        await own.close()
    assert not keeper.is_running(), "the last user ended what was left"


async def test_what_runs_in_it_ends_within_seconds(victim: Victim) -> None:
    inside = victim.first.children(recursive=True)
    assert inside
    victim.kill_the_engine()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [victim.first, *inside], timeout=30)
    assert not alive


async def test_the_next_start_ends_what_it_left_and_no_other(
    victim: Victim, settings: DockerSettings, engine: Engine, image: str, sandbox: DockerSandbox
) -> None:
    neighbour = asyncio.create_task(sandbox.run(spec(image, "sh", "-c", "sleep 8; echo alive")))
    victim.kill_the_engine()
    async with docker_engine(settings):
        assert not victim.keeper.is_running()
        assert not victim.first.is_running()
    assert (await neighbour).stdout.text == "alive\n"
