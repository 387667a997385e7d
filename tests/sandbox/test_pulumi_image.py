"""The image with Pulumi: built from pinned source on the base, and run like any other."""

import uuid
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.artifacts import ArtifactStore
from deploy.images.build import build_images
from deploy.images.pulumi_cli import CLI_VERSION, PROGRAMS
from deploy.images.pulumi_programs import pulumi_programs
from deploy.local.tools import CACHE, ToolUnavailableError, tell
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.provisioning import Images
from sandbox.spec import InputFile, Limits, RunSpec

# The first use on a machine builds Pulumi from source.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

MIB = 1024 * 1024
ROOMY = Limits(memory_bytes=1024 * MIB, workspace_bytes=128 * MIB, tmp_bytes=256 * MIB, wall_seconds=120)
PROGRAM = b"name: empty\nruntime: python\n"


@pytest.fixture
def record(images: Images, tmp_path: Path) -> Path:
    """A record of these tests' own, so that the others' stays as they know it."""
    record = tmp_path / "images.json"
    record.write_text(images.model_dump_json())
    return record


@pytest_asyncio.fixture
async def pulumi(engine: Engine, record: Path) -> str:
    """Its digest."""
    try:
        programs = await pulumi_programs(CACHE / "tools", progress=tell)
    except ToolUnavailableError as reason:
        pytest.skip(f"Pulumi cannot be built: {reason}")
    built = await build_images(engine, record, pulumi=programs)
    assert built.pulumi is not None
    return built.pulumi.digest


async def test_it_has_the_pinned_cli_and_its_python_host(
    engine: Engine, store: ArtifactStore, options: SandboxOptions, pulumi: str
) -> None:
    sandbox = DockerSandbox(engine, store, options)
    look = f"pulumi version; for name in {' '.join(PROGRAMS)}; do command -v $name; done"
    spec = RunSpec(run_id=uuid.uuid4().hex[:12], image=pulumi, argv=("sh", "-c", look), limits=ROOMY)
    result = await sandbox.run(spec)
    await sandbox.close()
    assert result.exit_code == 0, result.stderr.text
    assert result.stdout.text.split()[0] == CLI_VERSION
    assert result.stdout.text.split()[1:] == [f"/usr/local/bin/{name}" for name in PROGRAMS]


async def test_it_keeps_a_stack_in_a_folder_without_asking_anybody(
    engine: Engine, store: ArtifactStore, options: SandboxOptions, pulumi: str
) -> None:
    sandbox = DockerSandbox(engine, store, options)
    script = (
        "export PULUMI_CONFIG_PASSPHRASE=none PULUMI_BACKEND_URL=file:///workspace/state; mkdir state; "
        "pulumi stack init dev >/dev/null && pulumi stack ls --json"
    )
    spec = RunSpec(
        run_id=uuid.uuid4().hex[:12],
        image=pulumi,
        argv=("sh", "-c", script),
        files=(InputFile(path="Pulumi.yaml", content=PROGRAM),),
        limits=ROOMY,
    )
    result = await sandbox.run(spec)
    await sandbox.close()
    assert result.exit_code == 0, result.stderr.text
    assert '"name": "dev"' in result.stdout.text


async def test_who_does_not_ask_for_it_keeps_it(engine: Engine, record: Path, pulumi: str) -> None:
    again = await build_images(engine, record)
    assert again.pulumi is not None
    assert again.pulumi.digest == pulumi
