"""One engine and one set of images for all tests here; a fresh provider for each, which must leave nothing."""

import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from pydantic import SecretBytes

from connectors.artifacts import ArtifactStore
from deploy.images.build import build_images
from deploy.local.container_engine.found import DockerSettings, DockerUnavailable, docker_engine
from deploy.local.tools import CACHE
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_DEPLOYMENT, LABEL_KIND
from sandbox.docker.provider import DockerSandbox
from sandbox.protocol import OnOutput, Sandbox
from sandbox.provisioning import Images
from sandbox.result import RunResult
from sandbox.spec import Limits, RunSpec
from tests.sandbox.running import Left, Run


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "docker: needs a Docker engine, or root on Debian to start one")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine_host() -> AsyncIterator[str]:
    """A healthy engine: the machine's own, or one of ours."""
    try:
        async with docker_engine(DockerSettings(cache=CACHE)) as host:
            yield host
    except DockerUnavailable as error:
        pytest.skip(str(error))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def images(engine_host: str) -> Images:
    """Built once, then taken from the record; the first time takes minutes."""
    engine = Engine(engine_host)
    try:
        return await build_images(engine, CACHE / "images.json")
    finally:
        await engine.close()


@pytest_asyncio.fixture
async def engine(engine_host: str) -> AsyncIterator[Engine]:
    engine = Engine(engine_host)
    yield engine
    await engine.close()


@pytest.fixture
def image(images: Images) -> str:
    return images.base.digest


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path / "artifacts"))


@pytest.fixture
def options() -> SandboxOptions:
    return SandboxOptions(deployment=f"test-{uuid.uuid4().hex[:12]}", concurrency=4)


async def leftovers(engine: Engine, deployment: str, *, but: Collection[str] = ()) -> list[str]:
    """Everything on the engine that carries this deployment's label, but for these kinds."""
    label = {"label": f"{LABEL_DEPLOYMENT}={deployment}"}
    containers = await engine.call(engine.api.containers, all=True, filters=label)
    networks = await engine.call(engine.api.networks, filters=label)
    volumes = await engine.call(engine.api.volumes, filters=label)
    found = [*containers, *networks, *cast("list[Mapping[str, object]]", volumes.get("Volumes") or [])]
    return [str(one) for one in found if cast("Mapping[str, str]", one["Labels"]).get(LABEL_KIND) not in but]


@pytest.fixture
def left(engine: Engine, options: SandboxOptions) -> Left:
    return lambda: leftovers(engine, options.deployment)


@pytest_asyncio.fixture
async def sandbox(engine: Engine, store: ArtifactStore, options: SandboxOptions) -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox(engine, store, options)
    yield sandbox
    await sandbox.close()
    assert await leftovers(engine, options.deployment) == []


@pytest.fixture
def provider(sandbox: DockerSandbox) -> Sandbox:
    """The provider that the conformance suite holds to its protocol; another provider overrides this."""
    return sandbox


@pytest.fixture
def run(provider: Sandbox, image: str) -> Run:
    async def call(
        *argv: str,
        secrets: Mapping[str, SecretBytes] | None = None,
        on_output: OnOutput | None = None,
        limits: Limits | None = None,
        **fields: object,
    ) -> RunResult:
        spec = RunSpec.model_validate(
            {"run_id": uuid.uuid4().hex[:12], "image": image, "argv": argv, "limits": limits or Limits(), **fields}
        )
        return await provider.run(spec, secrets=secrets, on_output=on_output)

    return call
