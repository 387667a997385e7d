"""The self-test passes here, and notices each way in which an engine could be weaker."""

import asyncio
import json
from collections.abc import Mapping
from typing import cast

import pytest

from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.docker.seccomp import SECURITY_OPTION
from sandbox.errors import IsolationMissing
from sandbox.spec import Limits, RunSpec

pytestmark = pytest.mark.docker

ROOT: Mapping[str, object] = {"User": "0:0", "CapDrop": []}


async def test_it_passes_on_this_engine(sandbox: DockerSandbox, image: str) -> None:
    await sandbox.self_test(image)


def without_a_list() -> str:
    """A filter that refuses nothing."""
    return f"seccomp={json.dumps({'defaultAction': 'SCMP_ACT_ALLOW'})}"


def without(name: str) -> str:
    """Ours, with one call less."""
    return SECURITY_OPTION.replace(f'"{name}",', "")


WEAKNESSES: list[tuple[Mapping[str, object], str]] = [
    ({"SecurityOpt": []}, "no new privileges"),
    ({"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"]}, "a seccomp filter"),
    ({"SecurityOpt": ["no-new-privileges:true"]}, "our list of sockets"),
    ({"SecurityOpt": ["no-new-privileges:true", without_a_list()]}, "our list of calls"),
    ({"SecurityOpt": ["no-new-privileges:true", without("memfd_create")]}, "programs need .it refuses memory files"),
    ({"ReadonlyRootfs": False, "User": "0:0", "CapDrop": []}, "a root folder that cannot be written"),
    ({"NetworkMode": "bridge"}, "no route"),
    ({"PidMode": "host"}, "no process of others"),
    ({"CapDrop": [], "User": "0:0"}, "no capability"),
    ({"PidsLimit": 0}, "the process limit"),
    ({"Memory": 0, "MemorySwap": 0}, "the memory limit"),
    ({"MemorySwap": -1}, "no swap"),
    ({"Binds": ["/var/run:/var/run"]}, "no engine socket"),
    ({**ROOT, "CapAdd": ["SYS_ADMIN"], "SecurityOpt": ["seccomp=unconfined"]}, "no mount"),
    ({**ROOT, "ReadonlyPaths": [], "MaskedPaths": []}, "a core pattern that cannot be written"),
    (ROOT, "a user who is not root"),
]


@pytest.mark.parametrize(("weakness", "named"), WEAKNESSES)
async def test_it_notices(
    sandbox: DockerSandbox, engine: Engine, image: str, weakness: Mapping[str, object], named: str
) -> None:
    create = engine.api.create_container_from_config

    def weaker(config: Mapping[str, object], name: str) -> Mapping[str, object]:
        host = {**cast("Mapping[str, object]", config["HostConfig"]), **weakness}
        user = host.pop("User", config["User"])
        return create({**config, "User": user, "HostConfig": host}, name)

    engine.api.create_container_from_config = weaker
    with pytest.raises(IsolationMissing, match=named):
        await sandbox.self_test(image)


async def test_a_view_of_the_hosts_processes_costs_no_neighbour(
    sandbox: DockerSandbox, engine: Engine, image: str
) -> None:
    """All runs have the same user: who kills whatever it sees, once it sees too much, would kill them all."""
    begun = asyncio.Event()
    script = "echo begun; while [ ! -e /workspace/never ]; do sleep 0.1; done"
    spec = RunSpec(run_id="neighbour", image=image, argv=("sh", "-c", script), limits=Limits(wall_seconds=60))
    neighbour = asyncio.create_task(sandbox.run(spec, on_output=lambda _stream, _data: begun.set()))
    await asyncio.wait_for(begun.wait(), 30)
    create = engine.api.create_container_from_config

    def seeing(config: Mapping[str, object], name: str) -> Mapping[str, object]:
        return create(
            {**config, "HostConfig": {**cast("Mapping[str, object]", config["HostConfig"]), "PidMode": "host"}}, name
        )

    engine.api.create_container_from_config = seeing
    with pytest.raises(IsolationMissing, match="no process of others"):
        await sandbox.self_test(image)
    late = RunSpec(run_id="late", image=image, argv=("sleep", "60"), limits=Limits(wall_seconds=0.5, grace_seconds=0.5))
    assert (await sandbox.run(late)).ended == "timeout"
    assert not neighbour.done()
    neighbour.cancel()
    await asyncio.gather(neighbour, return_exceptions=True)
