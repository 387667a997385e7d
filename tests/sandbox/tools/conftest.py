"""One worker and one engine for all tests of a module."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from activities.sandbox.contracts import Source
from connectors.artifacts import ArtifactStore
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.provisioning import Images
from tests.sandbox.conftest import leftovers
from tests.sandbox.tools.working import REPOSITORY, Work, hostile_repository


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def work(engine_host: str, images: Images, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Work]:
    """A worker's steps, with its engine; each test opens what it needs, or takes the `session` of all."""
    folder = tmp_path_factory.mktemp("tools")
    engine, store = Engine(engine_host), ArtifactStore(str(folder / "artifacts"))
    options = SandboxOptions(deployment=f"test-{uuid.uuid4().hex[:12]}", concurrency=4)
    sandbox = DockerSandbox(engine, store, options)
    commit, pack = hostile_repository(folder / "repository")
    source = Source(repository=REPOSITORY, commit=commit, pack=await store.put(pack))
    made = Work(sandbox, store, source, image=images.base.digest)
    yield made
    await made.held.close_all()
    await sandbox.close()
    assert await leftovers(engine, options.deployment) == []
    await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(work: Work) -> str:
    """Open for all tests of the module; each takes files of its own."""
    return await work.open()
