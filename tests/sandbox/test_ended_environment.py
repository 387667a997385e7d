"""After an environment has ended, or was killed, nothing of it stays on an engine that others share."""

import asyncio
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.state import StackFolder, StackState, TemporalAddress, Url, VaultAddress
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_DEPLOYMENT, LABEL_OWNER, LABEL_UNTIL
from sandbox.docker.reaper import remove_all
from sandbox.provisioning import EngineFound, Images
from tests.sandbox.conftest import leftovers
from workers.commands.status import end_leftovers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]


@pytest.fixture
def folder() -> Iterator[StackFolder]:
    """Of a stack; a socket's path is short."""
    root = tempfile.mkdtemp(prefix="bm-")
    folder = StackFolder(Path(root))
    folder.make()
    yield folder
    shutil.rmtree(root)


async def leave(engine: Engine, image: str, deployment: str) -> None:
    """One of each kind, of a worker with another name, and needed for a long time."""
    name = f"banksman-test-{uuid.uuid4().hex[:10]}"
    labels = {LABEL_DEPLOYMENT: deployment, LABEL_OWNER: "another", LABEL_UNTIL: "9999999999"}
    api = engine.api
    network = {"driver": "bridge", "options": {}, "ipam": {}, "internal": True, "labels": labels}
    await engine.call(api.create_network, name, **network)
    await engine.call(api.create_volume, name, driver="local", driver_opts={}, labels=labels)
    config = {
        "Image": image,
        "Entrypoint": ["sleep", "300"],
        "Labels": labels,
        "HostConfig": {"NetworkMode": name, "Mounts": [{"Type": "volume", "Source": name, "Target": "/mnt"}]},
    }
    await engine.call(api.create_container_from_config, config, name)
    await engine.call(api.start, name)
    assert len(await leftovers(engine, deployment)) == 3


async def test_down_removes_what_a_killed_environment_left_and_nothing_of_others(
    engine: Engine, image: str, folder: StackFolder
) -> None:
    other = f"test-{uuid.uuid4().hex[:12]}"
    await leave(engine, image, folder.deployment)
    await leave(engine, image, other)
    url = Url(url="http://127.0.0.1:1")
    folder.write(
        StackState(
            pid=2**22 + 1,
            temporal=TemporalAddress(address="127.0.0.1:1", namespace="default", ui=url.url),
            vault=VaultAddress(address=url.url),
            twins={},
            workers={},
            traces=url,
            logs=str(folder.logs),
            policy="policy.yaml",
            environment="here",
        )
    )
    folder.engine.write_text(EngineFound(host=engine.host, images="images.json").model_dump_json())
    await asyncio.to_thread(end_leftovers, folder)
    assert await leftovers(engine, folder.deployment) == []
    assert not folder.engine.exists()
    assert len(await leftovers(engine, other)) == 3
    await remove_all(engine, other)


async def test_the_part_that_keeps_the_engine_leaves_it_without_anything_of_its_environment(
    engine: Engine, images: Images, folder: StackFolder
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "workers", "container-engine", str(folder.engine), folder.deployment,
        stderr=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        async with asyncio.timeout(120):
            while True:
                if folder.engine.exists():
                    break
                assert process.returncode is None
                await asyncio.sleep(0.05)
        await leave(engine, images.base.digest, folder.deployment)
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, said
    finally:
        if process.returncode is None:
            process.kill()
    assert await leftovers(engine, folder.deployment) == []
