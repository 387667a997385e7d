"""The two ways that a Pulumi run has and others have not: a relay to one address, and a volume between two."""

import uuid
from collections.abc import Mapping

import pytest

from sandbox.docker.container import Containers, SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import JOINT, Place, container_config, refuse_weak
from sandbox.docker.provider import DockerSandbox, Part
from sandbox.docker.reaper import Reaper
from sandbox.errors import IsolationMissing
from sandbox.pulumi.joint import joint_volume
from sandbox.spec import Limits, RunSpec
from tests.sandbox.pulumi.conftest import ONE_LOOP, PURPOSE, Way

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

ASK_POSTGRES = """
import os, socket, struct, sys
def asked(host, port):
    with socket.create_connection((host, int(port)), timeout=3) as server:
        server.sendall(struct.pack(">ii", 8, 80877103))  # PostgreSQL's question whether it speaks TLS
        return server.recv(1)
print("relay", asked(*os.environ["BANKSMAN_RELAY_STATE"].rsplit(":", 1)))
host, port = os.environ["BANKSMAN_RELAY_STATE"].rsplit(":", 1)
with socket.create_connection((host, int(port)), timeout=3) as server:
    server.sendall(b"CONNECT example.com:443 HTTP/1.1\\r\\n\\r\\n")
    print("connect", b"HTTP" in server.recv(100))
for where in [(sys.argv[1], sys.argv[2]), (host, "22"), ("1.1.1.1", "443")]:
    try:
        print("direct", asked(*where))
    except OSError:
        print("no way")
"""


@ONE_LOOP
async def test_a_relay_leads_to_its_target_and_nowhere_else(
    docker_sandbox: DockerSandbox, image: str, way: Way
) -> None:
    argv = ("python3", "-c", ASK_POSTGRES, way.host, str(way.port))
    spec = RunSpec(run_id=uuid.uuid4().hex[:12], image=image, argv=argv, purpose=PURPOSE)
    result = await docker_sandbox.run(spec)
    assert result.stdout.text.splitlines() == ["relay b'N'", "connect False", "no way", "no way", "no way"], (
        result.stderr.text
    )
    assert way.connections == 2


@ONE_LOOP
async def test_two_containers_meet_in_a_small_volume_that_goes_with_them(
    docker_sandbox: DockerSandbox, image: str
) -> None:
    containers = docker_sandbox.containers
    fill = f"cd {JOINT}; head -c 5000000 /dev/zero > big; stat -c %s big; rm big; cp /bin/true t; ./t"
    async with joint_volume(containers, "meeting", 60) as volume:
        wrote, read = [
            await docker_sandbox.run_part(
                RunSpec(run_id=uuid.uuid4().hex[:12], image=image, argv=("sh", "-c", script)), Part(volume=volume)
            )
            for script in (fill, f"ls {JOINT}")
        ]
    assert int(wrote.stdout.text) < 1_100_000
    assert "Permission denied" in wrote.stderr.text, "nothing in it can be run"
    # The engine takes the tmpfs away when no container has it; in a run both have it at once.
    assert read.exit_code == 0


async def test_the_reaper_takes_the_volume_of_a_dead_worker(engine: Engine, options: SandboxOptions) -> None:
    labels = Containers(engine, options).labels("volume", run="dead")
    name = f"banksman-joint-dead-{uuid.uuid4().hex[:8]}"
    await engine.call(engine.api.create_volume, name, driver="local", driver_opts={}, labels=labels)
    reaped = await Reaper(engine, options, set).round()
    assert reaped.volumes == (name,)


@pytest.mark.parametrize(
    "mount",
    [
        {"Type": "bind", "Source": "/", "Target": JOINT},
        {"Type": "bind", "Source": "banksman-joint-x", "Target": JOINT},
        {"Type": "volume", "Source": "somebody-elses", "Target": JOINT},
        {"Type": "volume", "Source": "banksman-joint-x", "Target": "/usr"},
        {"Type": "volume", "Source": "banksman-joint-x", "Target": JOINT, "VolumeOptions": {"DriverConfig": {}}},
    ],
)
def test_no_other_mount_gets_past_the_last_look(mount: Mapping[str, object]) -> None:
    limits = Limits()
    place = Place.of("sha256:" + "0" * 64, limits).model_copy(update={"volume": "banksman-joint-x"})
    config = dict(container_config(place, limits, {}))
    assert isinstance(config["HostConfig"], dict)
    refuse_weak(config)
    with pytest.raises(IsolationMissing, match="Mounts"):
        refuse_weak({**config, "HostConfig": {**config["HostConfig"], "Mounts": [mount]}})
