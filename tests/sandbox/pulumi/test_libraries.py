"""A program's packages: installed in one run, taken by digest into others."""

import uuid

import pytest

from sandbox.docker.provider import DockerSandbox
from sandbox.pulumi.libraries import ARCHIVE, libraries_spec
from sandbox.pulumi.request import Program
from sandbox.spec import InputFile
from tests.sandbox.attacks.registry import WHEEL, wheel
from tests.sandbox.pulumi.conftest import ONE_LOOP, Stack, said

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]


@pytest.fixture
def unmade() -> bool:
    return False


async def installed(docker_sandbox: DockerSandbox, image: str) -> str:
    """The archive's reference."""
    files = (
        InputFile(path=WHEEL, content=wheel()),
        InputFile(path="requirements.txt", content=f"./{WHEEL}\n".encode()),
    )
    spec = libraries_spec(uuid.uuid4().hex[:12], image, "requirements.txt", purpose=None, files=files)
    result = await docker_sandbox.run(spec)
    assert result.exit_code == 0, result.stderr.text
    assert [artifact.path for artifact in result.artifacts] == [ARCHIVE]
    return result.artifacts[0].reference


async def test_a_program_finds_the_packages_that_were_installed_for_it(
    stack: Stack, docker_sandbox: DockerSandbox, pulumi_image: str
) -> None:
    libraries = await installed(docker_sandbox, pulumi_image)
    assert await installed(docker_sandbox, pulumi_image) == libraries, "the same packages are the same archive"
    archive = (await stack.program("import pulumi, tinyhello\n")).archive
    outcome = await stack.preview("", program=Program(archive=archive, libraries=libraries))
    assert outcome.ended == "done", said(outcome)
    assert "hello from the package" in outcome.program_output


async def test_a_package_that_cannot_be_had_leaves_no_archive(docker_sandbox: DockerSandbox, pulumi_image: str) -> None:
    files = (InputFile(path="requirements.txt", content=b"./missing-1.0-py3-none-any.whl\n"),)
    spec = libraries_spec(uuid.uuid4().hex[:12], pulumi_image, "requirements.txt", purpose=None, files=files)
    result = await docker_sandbox.run(spec)
    assert result.exit_code != 0
    assert result.artifacts == ()
