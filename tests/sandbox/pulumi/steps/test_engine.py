"""The destructive worker's engine: found when it is there, tested before anything runs on it, closed at the end."""

import uuid
from pathlib import Path

import pytest

from connectors.errors import Unavailable
from deploy.local.tools import CACHE
from sandbox.docker.engine import Engine as DockerEngine
from sandbox.provisioning import EngineFound, Images
from tests.sandbox.conftest import leftovers
from tests.sandbox.pulumi.conftest import Way
from tests.sandbox.pulumi.steps.conftest import write_stacks
from workers.settings import Settings
from workers.stack_engine import SUFFIX, FoundEngine
from workers.stacks import Stacks

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


async def test_it_is_found_once_it_is_there_and_leaves_nothing(
    engine: DockerEngine, engine_host: str, pulumi_image: str, way: Way, tmp_path: Path
) -> None:
    told = tmp_path / "engine.json"
    deployment = f"test-{uuid.uuid4().hex[:8]}"
    stacks = Stacks.load(write_stacks(tmp_path, "pulumi", way), environment="live")
    settings = Settings(engine_file=told, artifacts=str(tmp_path / "artifacts"), sandbox_deployment=deployment)
    found = FoundEngine(settings, stacks)
    with pytest.raises(Unavailable):
        await found.place()
    told.write_text(EngineFound(host=engine_host, images=str(CACHE / "images.json")).model_dump_json())
    place = await found.place()
    assert place.image == pulumi_image
    assert not await place.pulumi.lives("nobody")
    assert (await found.place()).pulumi is place.pulumi
    await found.aclose()
    assert await leftovers(engine, deployment) == []
    assert await leftovers(engine, f"{deployment}{SUFFIX}") == []


async def test_an_image_without_pulumi_is_waited_for(
    images: Images, engine_host: str, way: Way, tmp_path: Path
) -> None:
    record, told = tmp_path / "images.json", tmp_path / "engine.json"
    record.write_text(images.model_copy(update={"pulumi": None}).model_dump_json())
    told.write_text(EngineFound(host=engine_host, images=str(record)).model_dump_json())
    stacks = Stacks.load(write_stacks(tmp_path, "pulumi", way), environment="live")
    deployment = f"test-{uuid.uuid4().hex[:8]}"
    settings = Settings(engine_file=told, artifacts=str(tmp_path / "artifacts"), sandbox_deployment=deployment)
    found = FoundEngine(settings, stacks)
    with pytest.raises(Unavailable, match="names no image with Pulumi"):
        await found.place()
    await found.aclose()
