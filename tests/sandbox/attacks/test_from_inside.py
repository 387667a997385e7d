"""Each attack runs for real in the real container; the last tests show that a success would be noticed."""

import asyncio
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import pytest

from deploy.local.container_engine.found import gateway_of
from sandbox.docker.engine import Engine
from tests.sandbox.attacks import escapes
from tests.sandbox.running import Attack

pytestmark = pytest.mark.docker


@pytest.fixture
def canary() -> str:
    return f"canary-{uuid.uuid4().hex}"


@pytest.fixture
def host_file(tmp_path: Path, canary: str) -> Path:
    path = tmp_path / f"{canary}.txt"
    path.write_text(canary)
    path.chmod(0o644)
    return path


def host_files(host_file: Path, canary: str) -> str:
    return escapes.HOST_FILES.format(path=host_file, canary=canary, name=host_file.name)


async def test_the_hosts_files_are_not_there(attack: Attack, host_file: Path, canary: str) -> None:
    assert await attack(host_files(host_file, canary)) == []


@pytest.fixture
def host_process(canary: str) -> Iterator[str]:
    with subprocess.Popen(["sh", "-c", f"sleep 120; : {canary}"]) as process:
        yield canary
        process.kill()
        subprocess.run(["pkill", "-P", str(process.pid)], check=False)


async def test_other_processes_are_not_there(attack: Attack, host_process: str) -> None:
    assert await attack(escapes.PROCESSES.format(canary=host_process)) == []


async def test_the_engines_socket_is_not_there(attack: Attack, engine: Engine) -> None:
    assert await attack(escapes.ENGINE_SOCKET.format(socket=engine.socket_path)) == []


class Listener:
    """Listens on every address of the host and counts who comes."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("0.0.0.0", 0))  # noqa: S104 - what an attacker would find
        self.socket.setblocking(False)  # noqa: FBT003 - the standard library's own
        self.port: int = self.socket.getsockname()[1]

    def visitors(self) -> int:
        count = 0
        while True:
            try:
                connection, _ = self.socket.accept()
            except BlockingIOError:
                return count
            connection.close()
            count += 1


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    with listener.socket:
        yield listener


async def bridge_gateway(engine: Engine) -> str:
    network = await engine.call(engine.api.inspect_network, "bridge")
    gateway = gateway_of(cast("dict[str, object]", network))
    assert gateway is not None
    return gateway


def host_addresses() -> list[str]:
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    return [address for address in found if ":" not in address]


async def test_nothing_is_reached_without_a_purpose(attack: Attack, engine: Engine, listener: Listener) -> None:
    gateway = await bridge_gateway(engine)
    hosts = ["127.0.0.1", "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "1.1.1.1", gateway, *host_addresses()]
    program = escapes.NETWORK.format(hosts=hosts, ports=[listener.port, 80, 443, 2375, 7233, 8200], gateway=gateway)
    assert await attack(program) == []
    assert listener.visitors() == 0


async def test_the_kernels_doors_are_closed(attack: Attack) -> None:
    assert await attack(escapes.KERNEL) == []


async def test_no_call_leads_past_the_network_or_the_filter(attack: Attack) -> None:
    assert await attack(escapes.CALLS) == []


async def test_no_privilege_can_be_raised(attack: Attack) -> None:
    assert await attack(escapes.PRIVILEGES) == []


async def test_the_first_process_cannot_be_read_traced_or_killed(attack: Attack) -> None:
    assert await attack(escapes.FIRST_PROCESS) == []


async def test_kernel_files_and_cgroups_cannot_be_written(attack: Attack) -> None:
    assert await attack(escapes.KERNEL_FILES) == []


async def test_only_the_runs_own_folders_can_be_written(attack: Attack) -> None:
    assert await attack(escapes.ROOT_FOLDER) == []


async def test_other_containers_are_not_reached(attack: Attack, engine: Engine, image: str) -> None:
    """A neighbour on the engine's own bridge, listening."""
    name = f"neighbour-{uuid.uuid4().hex[:8]}"
    config = {"Image": image, "Entrypoint": ["python3", "-m", "http.server", "8000"], "WorkingDir": "/usr/share"}
    await engine.call(engine.api.create_container_from_config, config, name)
    try:
        await engine.call(engine.api.start, name)
        inspected = await engine.call(engine.api.inspect_container, name)
        address = cast("dict[str, str]", inspected["NetworkSettings"])["IPAddress"]
        await reachable(address, 8000)
        program = escapes.NETWORK.format(hosts=[address, name], ports=[8000], gateway=address)
        assert await attack(program) == []
    finally:
        await engine.remove(engine.api.remove_container, name, v=True, force=True)


async def reachable(host: str, port: int) -> None:
    async with asyncio.timeout(15):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


class TestASuccessWouldBeNoticed:
    """The same attacks on containers that are open in one way each."""

    @pytest.fixture
    def weaker(self, engine: Engine) -> dict[str, object]:
        """What this says is added to each container, past every check of ours."""
        added: dict[str, object] = {}
        create = engine.api.create_container_from_config

        def create_weaker(config: Mapping[str, object], name: str) -> Mapping[str, object]:
            host = {**cast("Mapping[str, object]", config["HostConfig"]), **added}
            user = host.pop("User", config["User"])
            return create({**config, "User": user, "HostConfig": host}, name)

        engine.api.create_container_from_config = create_weaker
        return added

    async def test_a_mounted_folder(
        self, attack: Attack, weaker: dict[str, object], host_file: Path, canary: str
    ) -> None:
        weaker["Binds"] = [f"{host_file}:{host_file}"]
        assert await attack(host_files(host_file, canary)) != []

    async def test_the_hosts_processes(self, attack: Attack, weaker: dict[str, object], host_process: str) -> None:
        weaker["PidMode"] = "host"
        assert await attack(escapes.PROCESSES.format(canary=host_process)) != []

    async def test_a_mounted_socket(self, attack: Attack, weaker: dict[str, object], engine: Engine) -> None:
        weaker |= {"Binds": [f"{engine.socket_path}:/var/run/docker.sock"], "User": "0:0", "CapDrop": []}
        assert await attack(escapes.ENGINE_SOCKET.format(socket="/none")) != []

    async def test_the_hosts_network(
        self, attack: Attack, weaker: dict[str, object], engine: Engine, listener: Listener
    ) -> None:
        weaker["NetworkMode"] = "bridge"
        gateway = await bridge_gateway(engine)
        found = await attack(escapes.NETWORK.format(hosts=[gateway], ports=[listener.port], gateway=gateway))
        assert f"ESCAPED {gateway}:{listener.port}" in found
        assert listener.visitors() == 1

    async def test_a_capability_without_a_filter(self, attack: Attack, weaker: dict[str, object]) -> None:
        weaker |= {"CapDrop": [], "CapAdd": ["SYS_ADMIN"], "SecurityOpt": ["seccomp=unconfined"], "User": "0:0"}
        found = await attack(escapes.KERNEL)
        assert any("mount" in line for line in found)
        assert any("unshare" in line for line in found)

    async def test_the_calls_that_an_engines_own_filter_lets_through(
        self, attack: Attack, weaker: dict[str, object]
    ) -> None:
        weaker["SecurityOpt"] = ["no-new-privileges:true"]
        found = await attack(escapes.CALLS)
        assert any("alg" in line for line in found)
        assert any("protocol" in line for line in found)

    async def test_root_with_capabilities(self, attack: Attack, weaker: dict[str, object]) -> None:
        weaker |= {"CapDrop": [], "User": "0:0"}
        assert any("CapEff" in line for line in await attack(escapes.PRIVILEGES))

    async def test_a_trace_of_the_first_process(self, attack: Attack, weaker: dict[str, object]) -> None:
        weaker |= {"CapDrop": [], "CapAdd": ["SYS_PTRACE"], "User": "0:0"}
        assert any("/proc/1/environ" in line for line in await attack("reads('/proc/1/environ')"))

    async def test_kernel_files_that_can_be_written(self, attack: Attack, weaker: dict[str, object]) -> None:
        weaker |= {"CapDrop": [], "User": "0:0", "ReadonlyPaths": [], "MaskedPaths": []}
        program = "writes('/proc/sys/kernel/ns_last_pid', b'1')\nreads('/proc/timer_list')"
        assert await attack(program) != []

    async def test_a_root_folder_that_can_be_written(self, attack: Attack, weaker: dict[str, object]) -> None:
        weaker |= {"ReadonlyRootfs": False, "CapDrop": [], "User": "0:0"}
        assert await attack(escapes.ROOT_FOLDER) != []
