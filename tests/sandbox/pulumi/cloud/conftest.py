"""Pulumi Cloud's twin in a world outside, which only proxies reach, and stacks whose state it keeps."""

import random
import socket
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from pydantic import SecretBytes

from connectors.artifacts import ArtifactStore
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine as DockerEngine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings, RelayTarget
from sandbox.provisioning import Images
from sandbox.pulumi.request import ACCESS_TOKEN, CloudState, Engine, Password
from sandbox.pulumi.runner import PulumiSandbox
from tests.sandbox.attacks.registry import certificate
from tests.sandbox.attacks.world import Outside, outside_on
from tests.sandbox.conftest import leftovers
from tests.sandbox.pulumi.cloud import service
from tests.sandbox.pulumi.cloud.twin import Twin, served
from tests.sandbox.pulumi.conftest import PASSWORD_CANARY, PURPOSE, Database, Stack, Way

HOST = "api.pulumi.example"
GONE = "gone.pulumi.example"
"""A name that nobody resolves."""
URL = f"https://{HOST}"
_NAMES = {HOST: ["{gateway}"]}


@dataclass
class Cloud:
    """The twin, and the network that leads to it."""

    twin: Twin
    outside: Outside
    address: str
    authority: str

    def join(self) -> "Member":
        """An organization of its own."""
        member = Member(self, f"org-{uuid.uuid4().hex[:10]}", f"pul-canary-{uuid.uuid4().hex}")
        self.twin.service.accounts[member.token] = member.login
        self.twin.service.organizations[member.login] = member.organization
        return member

    def egress(self, images: Images, **more: object) -> EgressSettings:
        """What leads to it, by the proxy."""
        own = {"outbound": self.outside.network, "resolvers": (IPv4Address(self.outside.address),)}
        return EgressSettings.model_validate({"proxy_image": images.proxy.digest, **own, **more})

    async def proxies(self, engine: DockerEngine, deployment: str) -> set[str]:
        """Their addresses on that network."""
        label = {"label": [f"banksman.deployment={deployment}", "banksman.kind=proxy"]}
        found: set[str] = set()
        for proxy in await engine.call(engine.api.containers, all=True, filters=label):
            page = await engine.call(engine.api.inspect_container, str(proxy["Id"]))
            networks = cast("Mapping[str, Mapping[str, Mapping[str, str]]]", page["NetworkSettings"])["Networks"]
            found.add(networks[self.outside.network]["IPAddress"])
        return found


@dataclass
class Member:
    """An account, and its one stack."""

    cloud: Cloud
    organization: str
    token: str

    @property
    def login(self) -> str:
        return f"somebody-of-{self.organization}"

    @property
    def state(self) -> CloudState:
        return CloudState(url=URL, organization=self.organization, authority=self.cloud.authority)

    @property
    def stack(self) -> service.Stack:
        """As Pulumi Cloud has it."""
        return self.cloud.twin.service.stacks[self.organization, "example", "dev"]

    def begin_elsewhere(self) -> service.Update:
        """Somebody else's update, which has not ended."""
        update = service.Update("update", dry=False, author="somebody-else")
        self.stack.updates[update.id] = update
        self.stack.begin(update)
        return update

    def update_elsewhere(self) -> None:
        """Somebody else's update, after which the state is as it was."""
        self.stack.end(self.begin_elsewhere(), "succeeded")

    def asked(self, part: str = "") -> list[str]:
        """What this organization's stacks were asked, by path."""
        return [path for path in self.cloud.twin.asked(part) if self.organization in path]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cloud(engine_host: str, images: Images, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cloud]:
    secret, public = certificate(HOST)
    path = tmp_path_factory.mktemp("cloud") / "certificate.pem"
    path.write_text(secret)
    # Public anywhere else, so that only the names decide; on this host it is the engine's bridge.
    subnet = f"11.224.{random.randrange(256)}.0/24"  # noqa: S311 - no secret
    gateway = str(IPv4Network(subnet)[1])
    names = {name: [address.format(gateway=gateway) for address in found] for name, found in _NAMES.items()}
    engine = DockerEngine(engine_host)
    async with outside_on(engine, images.base.digest, subnet, names) as outside:
        _require_port(gateway)
        twin = Twin()
        with served(twin, gateway, path):
            yield Cloud(twin, outside, gateway, public)
    await engine.close()
    assert twin.unknown() == [], "the CLI asked what the twin does not know"


def _require_port(address: str) -> None:
    try:
        socket.create_server((address, 443)).close()
    except PermissionError as error:
        pytest.skip(f"only who may listen on port 443 can be Pulumi Cloud: {error}")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """Of one test: some look through all that it holds."""
    return ArtifactStore(str(tmp_path / "artifacts"))


@pytest_asyncio.fixture
async def way(cloud: Cloud, database: Database) -> AsyncIterator[Way]:
    """The providers' way to the database, on the same network."""
    way = Way(cloud.outside.network, cloud.address, database.socket)
    await way.open()
    yield way
    way.shut()


@pytest_asyncio.fixture
async def docker_sandbox(
    engine: DockerEngine, store: ArtifactStore, options: SandboxOptions, images: Images, cloud: Cloud, way: Way
) -> AsyncIterator[DockerSandbox]:
    """With one purpose: by its proxy to Pulumi Cloud, by its relay to the database; it must leave nothing."""
    relays = {PURPOSE: {"orders": RelayTarget(host=way.host, port=way.port)}}
    sandbox = DockerSandbox(
        engine, store, options, cloud.egress(images, purposes={PURPOSE: (HOST, GONE)}, relays=relays)
    )
    before = len(cloud.twin.seen)
    yield sandbox
    assert {one.peer for one in cloud.twin.seen[before:]} <= await cloud.proxies(engine, options.deployment)
    await sandbox.close()
    assert await leftovers(engine, options.deployment) == []


@dataclass
class CloudStack(Stack):
    """A stack in Pulumi Cloud."""

    member: Member = field(kw_only=True)

    @property
    def secrets(self) -> Mapping[str, SecretBytes]:
        return {
            ACCESS_TOKEN: SecretBytes(self.member.token.encode()),
            "orders-password": SecretBytes(PASSWORD_CANARY.encode()),
        }

    @property
    def engine(self) -> Engine:
        environment = {
            "PGHOST": "{orders.host}", "PGPORT": "{orders.port}", "PGUSER": self.name, "PGSSLMODE": "disable",
            "PGDATABASE": "postgres",
        }  # fmt: skip
        password = Password(relay="orders", role=self.name, secret="orders-password")
        return super().engine.model_copy(update={"environment": environment, "passwords": (password,)})

    def fields(self) -> dict[str, object]:
        return {**super().fields(), "state": self.member.state}


@pytest.fixture
def stack(
    pulumi: PulumiSandbox, store: ArtifactStore, pulumi_image: str, database: Database, cloud: Cloud
) -> CloudStack:
    stack = CloudStack(pulumi, store, pulumi_image, database, member=cloud.join())
    stack.make()
    return stack


async def kept(folder: Path) -> bytes:
    """All artifacts there are."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
