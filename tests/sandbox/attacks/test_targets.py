"""A run that a step leads to one database reaches that one, by its real name, and nothing else by any way."""

import asyncio
import random
import ssl
import uuid
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.artifacts import ArtifactStore
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.targets import DATABASE, TargetPattern
from sandbox.provisioning import Images
from sandbox.result import RunResult
from sandbox.spec import InputFile, Limits, RunSpec, Target
from tests.sandbox.attacks.registry import certificate
from tests.sandbox.attacks.world import Outside, outside_on
from tests.sandbox.running import Left

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

PORT = 8443
"""Where the world's web server answers in plain: here it stands for a database."""
NAMES = {
    "one.db.example.com": ["{web}"],
    "two.db.example.com": ["{web}"],
    "metadata.db.example.com": ["169.254.169.254"],
    "private.db.example.com": ["10.255.0.1"],
    "rebinding.db.example.com": ["127.0.0.1", "{web}"],
    "elsewhere.example.com": ["{web}"],
    "tls.db.example.com": ["{gateway}"],
}
ASK = f"curl -sS -m 8 --noproxy '*' -w '[%{{http_code}}]' -o /dev/null http://one.db.example.com:{PORT}/asked"
AROUND = f"""
import os, socket, sys
host, port = os.environ['BANKSMAN_TARGET'].rsplit(':', 1)
relay = socket.gethostbyname(host)
print('told', host, port)
for where in [(relay, 22), (relay, 443), (relay, {PORT} + 1), (sys.argv[1], {PORT}), ('169.254.169.254', 80),
              ('1.1.1.1', 443), ('two.db.example.com', {PORT}), ('elsewhere.example.com', {PORT})]:
    try:
        socket.create_connection(where, timeout=2).close()
        print('ESCAPED', where)
    except OSError:
        pass
with socket.create_connection((relay, {PORT}), timeout=8) as line:
    line.sendall(b'CONNECT elsewhere.example.com:443 HTTP/1.1\\r\\n\\r\\n')
    print('connect', line.recv(12).split()[1:2])
proxy = os.environ['HTTPS_PROXY'].removeprefix('http://').split(':')
with socket.create_connection((proxy[0], int(proxy[1])), timeout=8) as line:
    line.sendall(b'CONNECT one.db.example.com:443 HTTP/1.1\\r\\n\\r\\n')
    print('proxy', line.recv(12).split()[1])
"""


@pytest_asyncio.fixture
async def outside(engine: Engine, image: str) -> AsyncIterator[Outside]:
    subnet = f"11.225.{random.randrange(256)}"  # noqa: S311 - no secret
    names = {name: [one.replace("{gateway}", f"{subnet}.1") for one in found] for name, found in NAMES.items()}
    async with outside_on(engine, image, f"{subnet}.0/24", names) as outside:
        yield outside


@pytest_asyncio.fixture
async def led(
    engine: Engine, store: ArtifactStore, options: SandboxOptions, outside: Outside, images: Images, left: Left
) -> AsyncIterator[DockerSandbox]:
    settings = EgressSettings(
        targets={DATABASE: (TargetPattern(host="*.db.example.com", port=PORT),)},
        kept_for={DATABASE: "migration"},
        proxy_image=images.proxy.digest,
        outbound=outside.network,
        resolvers=(IPv4Address(outside.address),),
    )
    sandbox = DockerSandbox(engine, store, options, settings)
    yield sandbox
    await sandbox.close()
    assert await left() == []


async def run(sandbox: DockerSandbox, image: str, *argv: str, to: str = "one") -> RunResult:
    spec = RunSpec(
        run_id=uuid.uuid4().hex[:12],
        image=image,
        argv=argv,
        purpose=DATABASE,
        work="migration",
        target=Target(host=f"{to}.db.example.com", port=PORT),
        limits=Limits(wall_seconds=60),
    )
    return await sandbox.run(spec)


async def test_the_target_is_reached_by_its_real_name(led: DockerSandbox, image: str, outside: Outside) -> None:
    result = await run(led, image, "sh", "-c", ASK)
    assert result.stdout.text == "[200]", result.stderr.text
    assert "/asked" in (await outside.state())["visits"]


async def test_nothing_else_is_reached_by_any_way(led: DockerSandbox, image: str, outside: Outside) -> None:
    result = await run(led, image, "python3", "-c", AROUND, outside.address)
    said = result.stdout.text.splitlines()
    assert said[0] == f"told one.db.example.com {PORT}", result.stderr.text
    assert not [line for line in said if line.startswith("ESCAPED")]
    assert said[-1] == "proxy b'403'"
    assert [(one.host, one.allowed) for one in result.connections] == [("one.db.example.com", False)]
    assert "elsewhere.example.com" not in (await outside.state())["queries"]


@pytest.mark.parametrize("name", ["metadata", "private", "rebinding"])
async def test_a_name_that_leads_inside_is_not_followed(
    led: DockerSandbox, image: str, outside: Outside, name: str
) -> None:
    result = await run(led, image, "sh", "-c", ASK.replace("one.", f"{name}."), to=name)
    assert "[000]" in result.stdout.text
    assert (await outside.state())["visits"] == []


async def test_two_runs_at_once_do_not_reach_each_others_target(
    led: DockerSandbox, image: str, outside: Outside
) -> None:
    del outside
    swapped = {"one": "two", "two": "one"}
    scripts = {
        own: f"{ASK.replace('one.', own + '.')}; {ASK.replace('one.', other + '.')}" for own, other in swapped.items()
    }
    results = await asyncio.gather(*(run(led, image, "sh", "-c", script, to=own) for own, script in scripts.items()))
    assert [one.stdout.text for one in results] == ["[200][000]"] * 2
    assert all("Could not resolve host" in one.stderr.text for one in results)


async def test_a_cancelled_run_takes_its_relay_with_it(led: DockerSandbox, image: str) -> None:
    running = asyncio.create_task(run(led, image, "sleep", "60"))
    async with asyncio.timeout(60):
        while not [name for name in led.containers.live if "run-" in name]:  # noqa: ASYNC110 - the engine makes it
            await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await led.containers.settled()
    assert not [name for name in led.containers.live if "relay" in name]


async def test_the_self_test_tries_such_a_network_too(led: DockerSandbox, image: str) -> None:
    await led.self_test(image)


SPEAKS_TLS = """
import os, socket, ssl, sys
host, port = os.environ['BANKSMAN_TARGET'].rsplit(':', 1)
for name in (host, 'two.db.example.com'):
    context = ssl.create_default_context(cafile='trusted.pem')
    try:
        with context.wrap_socket(socket.create_connection((host, int(port)), timeout=8), server_hostname=name) as line:
            print(name, line.recv(10).decode())
    except ssl.SSLError as error:
        print(name, error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error)
"""


async def test_tls_passes_through_and_is_checked_by_the_real_name(
    engine: Engine, store: ArtifactStore, options: SandboxOptions, outside: Outside, images: Images, tmp_path: Path
) -> None:
    """The server is on this machine, at the outside network's gateway; the relay sees nothing but bytes."""
    identity, trusted = certificate("tls.db.example.com")
    (tmp_path / "identity.pem").write_text(identity)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "identity.pem")
    asked: list[str | None] = []
    context.sni_callback = lambda _line, name, _context: asked.append(name)

    async def served(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"it is me")
        writer.close()

    server = await asyncio.start_server(served, "0.0.0.0", 0, ssl=context)  # noqa: S104 - where containers reach it
    port = int(server.sockets[0].getsockname()[1])
    settings = EgressSettings(
        targets={DATABASE: (TargetPattern(host="tls.db.example.com", port=port),)},
        kept_for={DATABASE: "migration"},
        proxy_image=images.proxy.digest,
        outbound=outside.network,
        resolvers=(IPv4Address(outside.address),),
    )
    sandbox = DockerSandbox(engine, store, options, settings)
    try:
        async with server:
            result = await sandbox.run(
                RunSpec(
                    run_id=uuid.uuid4().hex[:12],
                    image=images.base.digest,
                    argv=("python3", "-c", SPEAKS_TLS),
                    files=(InputFile(path="trusted.pem", content=trusted.encode()),),
                    purpose=DATABASE,
                    work="migration",
                    target=Target(host="tls.db.example.com", port=port),
                    limits=Limits(wall_seconds=60),
                )
            )
    finally:
        await sandbox.close()
    said = result.stdout.text.splitlines()
    assert said[0] == "tls.db.example.com it is me", result.stderr.text
    assert said[1].startswith("two.db.example.com Hostname mismatch")
    assert asked == ["tls.db.example.com", "two.db.example.com"]
