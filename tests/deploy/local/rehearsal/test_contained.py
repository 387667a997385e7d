"""A rehearsal's own container engine: what runs on it tries to get out, and nothing of it is left, however it ends."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from deploy.local.container_engine.found import DockerUnavailable
from deploy.local.rehearsal.images import hand_in

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a container engine"),
]

_PORT: Final = 4711
_INSIDE: Final = """
import asyncio, json, sys, time
from pathlib import Path
from deploy.local.rehearsal.contained import contained_engine
from deploy.local.rehearsal.images import handed_in
from sandbox.docker.engine import Engine

TRY = '''
import json, socket, sys
def reached(host, port):
    with socket.socket() as one:
        one.settimeout(5)
        return one.connect_ex((host, int(port))) == 0
print(json.dumps({where: reached(*where.rsplit(":", 1)) for where in sys.argv[1:]}))
'''

def ran(api, image, network, places):
    made = api.create_container(
        image, [*places], entrypoint=["python3", "-c", TRY], host_config=api.create_host_config(network_mode=network)
    )
    api.start(made["Id"])
    api.wait(made["Id"])
    return json.loads(api.logs(made["Id"], stderr=False))

async def main(folder, *places):
    async with contained_engine(folder) as found:
        engine, image = Engine(found.host), handed_in(folder).base.digest
        engine.api.create_network("leading-out", driver="bridge")
        server = await asyncio.start_server(lambda *_: None, "10.212.255.1", 4711)
        networks = {name: await engine.call(ran, engine.api, image, name, places) for name in NETWORKS}
        print(json.dumps(networks), flush=True)
        if STAYS:
            made = engine.api.create_container(image, ["600"], entrypoint=["sleep"])
            engine.api.start(made["Id"])
            print("up", flush=True)
            time.sleep(600)
        server.close()
        await engine.close()

asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""
_OWN: Final = f"10.212.255.1:{_PORT}"


@pytest.fixture
def folder() -> Iterator[Path]:
    """With the images of the sandbox, as a rehearsal is given them."""
    made = Path(tempfile.mkdtemp(prefix="bmr-"))
    try:
        asyncio.run(hand_in(made, docker_host=None, stacks=False))
        yield made
    except DockerUnavailable as reason:
        pytest.skip(str(reason))
    finally:
        shutil.rmtree(made)


@pytest.fixture
def of_the_machine() -> Iterator[list[str]]:
    """A server on every address that this machine has."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - to be found, if there is a way
        found = [one.address for many in psutil.net_if_addrs().values() for one in many if one.family == socket.AF_INET]
        yield [f"{address}:{server.getsockname()[1]}" for address in found]


def command(folder: Path, places: list[str], *, networks: tuple[str, ...], stays: bool = False) -> list[str]:
    script = f"NETWORKS, STAYS = {networks!r}, {stays!r}\n{_INSIDE}"
    sealed = [sys.executable, "-m", "deploy.local.rehearsal.sealed"]
    return [*sealed, sys.executable, "-c", script, str(folder), *places]


def test_no_network_of_its_containers_leads_out(folder: Path, of_the_machine: list[str]) -> None:
    for place in of_the_machine:
        host, _, port = place.rpartition(":")
        socket.create_connection((host, int(port)), 5).close()  # it is there to be reached

    places = ["192.0.2.1:443", "169.254.169.254:80", *of_the_machine, _OWN]
    networks = ("bridge", "leading-out", "host", "none")
    done = subprocess.run(
        command(folder, places, networks=networks), capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    reached = {name: [one for one, is_so in found.items() if is_so] for name, found in json.loads(done.stdout).items()}
    # The address of the engine's own bridge is what containers are to reach: the state of stacks is there.
    assert reached == {"bridge": [_OWN], "leading-out": [_OWN], "host": [_OWN], "none": []}
    assert left(folder) == []


def test_nothing_of_it_is_left_where_the_rehearsal_is_killed(folder: Path) -> None:
    with subprocess.Popen(command(folder, [], networks=(), stays=True), stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert [killed.stdout.readline() for _ in range(2)][1] == "up\n"
        assert any("dockerd" in one for one in left(folder))
        assert any("shim" in one for one in left(folder))
        killed.kill()
    deadline = time.monotonic() + 60
    while still := left(folder):
        assert time.monotonic() < deadline, still
        time.sleep(0.1)


def left(folder: Path) -> list[str]:
    """The processes that name its folder."""
    found = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
    return [line for line in found if f"{folder}/" in line and "deploy.local.rehearsal.sealed" not in line]
