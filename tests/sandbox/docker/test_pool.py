"""Waiting containers: used once, with the run's own limits, and never less shut than cold ones."""

import os
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
import pytest_asyncio
from pydantic import SecretBytes

from connectors.artifacts import ArtifactStore
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_DEPLOYMENT, LABEL_KIND, Place
from sandbox.docker.pool import WarmPool
from sandbox.docker.provider import DockerSandbox
from sandbox.result import RunResult
from sandbox.spec import MIB, Limits, RunSpec
from tests.sandbox.running import Left

pytestmark = pytest.mark.docker


@pytest_asyncio.fixture
async def warm(
    engine: Engine, store: ArtifactStore, options: SandboxOptions, left: Left
) -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox(engine, store, options.model_copy(update={"waiting": 2}))
    yield sandbox
    await sandbox.close()
    assert await left() == []


def pool_of(sandbox: DockerSandbox) -> WarmPool:
    assert sandbox.pool is not None
    return sandbox.pool


async def run(sandbox: DockerSandbox, image: str, *argv: str, limits: Limits | None = None) -> RunResult:
    spec = RunSpec(run_id=uuid.uuid4().hex[:12], image=image, argv=argv, limits=limits or Limits())
    return await sandbox.run(spec, secrets={"key": SecretBytes(b"canary")})


async def test_a_waiting_container_is_used_and_another_is_made(warm: DockerSandbox, image: str) -> None:
    place = Place.of(image, Limits())
    await pool_of(warm).ready(place, Limits())
    first = await run(warm, image, "cat", "/run/secrets/key")
    assert (first.usage.warm, first.stdout.text) == (True, "canary")
    await pool_of(warm).ready(place, Limits())
    assert (await run(warm, image, "true")).usage.warm


async def test_a_command_runs_where_the_engine_itself_is_behind_others(
    warm: DockerSandbox, engine: Engine, options: SandboxOptions, image: str
) -> None:
    """An engine that was started by `nice` gives its containers no more than it has."""
    await pool_of(warm).ready(Place.of(image, Limits()), Limits())
    ours = {"label": f"{LABEL_DEPLOYMENT}={options.deployment}"}
    for found in await engine.call(engine.api.containers, filters=ours):
        state = await engine.call(engine.api.inspect_container, found["Id"])
        os.setpriority(os.PRIO_PROCESS, int(cast("Mapping[str, int]", state["State"])["Pid"]), 12)
    result = await run(warm, image, "nice")
    assert (result.usage.warm, result.stdout.text.strip()) == (True, "12")


async def test_each_is_used_once(warm: DockerSandbox, image: str) -> None:
    """What a run leaves anywhere is not there for the next one."""
    place = Place.of(image, Limits())
    for _ in range(3):
        await pool_of(warm).ready(place, Limits())
        result = await run(
            warm, image, "sh", "-c", "ls /tmp /dev/shm; touch /tmp/left /dev/shm/left; ls /proc | grep -c ^[0-9]"
        )
        assert result.usage.warm
        assert "left" not in result.stdout.text


async def test_an_empty_pool_is_a_cold_start(warm: DockerSandbox, image: str) -> None:
    result = await run(warm, image, "true")
    assert (result.exit_code, result.usage.warm) == (0, False)


async def test_another_place_is_not_taken(warm: DockerSandbox, image: str) -> None:
    await pool_of(warm).ready(Place.of(image, Limits()), Limits())
    result = await run(warm, image, "df", "-B1", "--output=size", "/workspace", limits=Limits(workspace_bytes=8 * MIB))
    assert not result.usage.warm
    assert result.stdout.text.split()[-1] == str(8 * MIB)


async def test_the_runs_own_limits_hold_on_a_waiting_container(warm: DockerSandbox, image: str) -> None:
    await pool_of(warm).ready(Place.of(image, Limits()), Limits())
    small = Limits(memory_bytes=400 * MIB, pids=20, cpus=0.5)
    hog = await run(warm, image, "python3", "-c", "x = bytearray(450 << 20)", limits=small)
    assert (hog.usage.warm, hog.ended) == (True, "out_of_memory")
    many = "import os, signal\nfor n in range(40):\n  if os.fork() == 0: signal.pause()"
    bomb = await run(warm, image, "python3", "-c", many, limits=small)
    assert bomb.usage.warm
    assert "Resource temporarily unavailable" in bomb.stderr.text
    quota = await run(warm, image, "sh", "-c", "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us || cat /sys/fs/cgroup/cpu.max")
    assert quota.stdout.text.split()[0] == "100000"


async def test_one_that_died_waiting_is_passed_over(
    warm: DockerSandbox, engine: Engine, image: str, options: SandboxOptions
) -> None:
    await pool_of(warm).ready(Place.of(image, Limits()), Limits())
    waiting = await engine.call(engine.api.containers, all=True, filters={"label": [f"{LABEL_KIND}=waiting"]})
    ours = [item for item in waiting if options.deployment in str(item["Labels"])]
    assert len(ours) == 2
    for item in ours:
        await engine.call(engine.api.kill, str(item["Id"]))
    result = await run(warm, image, "echo", "still", limits=Limits(pids=99))
    assert (result.exit_code, result.stdout.text) == (0, "still\n")


async def test_a_waiting_container_passes_the_self_test(warm: DockerSandbox, image: str) -> None:
    await warm.self_test(image)
    await warm.self_test(image)


async def test_after_closing_nothing_more_is_made(warm: DockerSandbox, image: str, left: Left) -> None:
    pool = pool_of(warm)
    await pool.ready(Place.of(image, Limits()), Limits())
    await warm.close()
    assert await left() == []
    assert await pool.take(Place.of(image, Limits()), Limits()) is None
