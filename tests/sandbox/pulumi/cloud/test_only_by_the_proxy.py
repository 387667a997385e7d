"""Pulumi Cloud is reached by the allow-list proxy, and in no other way."""

import uuid

import pytest

from sandbox.docker.provider import DockerSandbox
from sandbox.result import RunResult
from sandbox.spec import InputFile, RunSpec
from tests.sandbox.pulumi.cloud.conftest import HOST, Cloud
from tests.sandbox.pulumi.conftest import PURPOSE

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

ASK = f"curl -sS -m 8 --cacert authority.pem -w '[%{{http_code}}]' https://{HOST}/api/user"


async def shell(sandbox: DockerSandbox, image: str, cloud: Cloud, code: str) -> RunResult:
    spec = RunSpec(
        run_id=uuid.uuid4().hex[:12],
        image=image,
        argv=("sh", "-c", code),
        purpose=PURPOSE,
        files=(InputFile(path="authority.pem", content=cloud.authority.encode()),),
    )
    return await sandbox.run(spec)


async def test_pulumi_cloud_is_reached_by_the_proxy_alone(
    docker_sandbox: DockerSandbox, image: str, cloud: Cloud
) -> None:
    before = len(cloud.twin.seen)
    around = f"{ASK} --noproxy '*' --resolve {HOST}:443:{cloud.address}"
    result = await shell(docker_sandbox, image, cloud, f"{around}; {around} --connect-timeout 3; {ASK} --noproxy '*'")
    assert result.stdout.text.count("[000]") == 3, result.stderr.text
    assert len(cloud.twin.seen) == before
    canary = await shell(docker_sandbox, image, cloud, ASK)
    assert "[401]" in canary.stdout.text, canary.stderr.text
    assert [(one.host, one.allowed) for one in canary.connections] == [(HOST, True)]


async def test_who_cannot_prove_its_name_is_not_pulumi_cloud(
    docker_sandbox: DockerSandbox, image: str, cloud: Cloud
) -> None:
    before = len(cloud.twin.seen)
    result = await shell(docker_sandbox, image, cloud, ASK.replace("--cacert authority.pem ", ""))
    assert "[000]" in result.stdout.text
    assert "certificate" in result.stderr.text
    assert len(cloud.twin.seen) == before
