"""The embedded PostgreSQL for Pulumi's state, for real: who gets in by which way, and what they can do there."""

import asyncio
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from deploy.local.options import StackOptions
from deploy.local.postgres import find_postgres
from deploy.local.processes.child import Child, ChildFailed, ChildState
from deploy.local.processes.children import Addresses, Children
from deploy.local.processes.ports import HOST, Ports
from deploy.local.state import StackFolder
from deploy.local.state_database import CHANGE_ROLE, DATABASE, LOOK_ROLE, StateDatabase
from deploy.local.tools import ToolUnavailableError

pytestmark = pytest.mark.timeout(120)

ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}


def options(folder: StackFolder) -> StackOptions:
    return StackOptions(
        repositories={},
        policy=folder.root / "policy.yaml",
        encrypt=False,
        traces=False,
        sandbox=True,
        environment=ENVIRONMENT,
        deployment="none",
        build_id=lambda: "none",
    )


@dataclass
class Server:
    """One that runs."""

    folder: StackFolder
    database: StateDatabase
    port: int
    programs: Path
    child: Child | None = None

    async def start(self) -> None:
        argv = await self.database.prepare(HOST)
        children = Children(folder=self.folder, options=options(self.folder), ports=Addresses.choose())
        spec = children.state_database(argv, address="", healthy=self.database.answers, on_ready=self.database.open)
        self.child = Child(spec, lambda _: None)
        await self.child.start()

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop()

    def is_back(self) -> bool:
        """Whether it was started again, and is well."""
        assert self.child is not None
        report = self.child.report
        return report.restarts > 0 and report.state is ChildState.READY

    @property
    def pid(self) -> int:
        assert self.child is not None
        pid = self.child.report.pid
        assert pid is not None
        return pid

    def password(self, role: str) -> str:
        found = self.database.secrets()["pulumi/look" if role == LOOK_ROLE else "pulumi/change"]
        return found["state-password"].get_secret_value()

    def ask(
        self, role: str, sql: str, *, database: str = DATABASE, password: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """By TCP, as a container does."""
        return self._psql(HOST, role, sql, database, PGPASSWORD=self.password(role) if password is None else password)

    def inside(self, sql: str, *, database: str = "postgres") -> str:
        """By the socket, as the stack's owner."""
        done = self._psql(str(self.folder.database), "postgres", sql, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _psql(
        self, host: str, role: str, sql: str, database: str, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        argv = [str(self.programs / "psql"), "-h", host, "-p", str(self.port), "-U", role, "-d", database]
        argv += ["-v", "ON_ERROR_STOP=1", "-XAtwqc", sql]
        env = {**ENVIRONMENT, **environment}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture(scope="module")
def folder() -> Iterator[StackFolder]:
    """Closed to everybody but us, as a stack's is."""
    with tempfile.TemporaryDirectory(prefix="bm-") as made:
        found = StackFolder(Path(made) / "s")
        found.make()
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder: StackFolder) -> AsyncIterator[Server]:
    try:
        found = await find_postgres()
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))
    port = Ports().take(0)
    made = Server(folder, StateDatabase(folder, port=port, environment=ENVIRONMENT), port, found.programs)
    try:
        await made.start()
    except ChildFailed as reason:
        if os.geteuid() == 0 and "unshare" in str(reason):
            pytest.skip(f"root without mount namespaces: {reason}")
        raise
    yield made
    await made.stop()


def test_it_listens_where_it_was_told_and_nowhere_else(server: Server) -> None:
    listening = [one for one in psutil.Process(server.pid).net_connections() if one.status == psutil.CONN_LISTEN]
    assert {(one.laddr.ip, one.laddr.port) for one in listening} == {(HOST, server.port)}


def test_it_is_not_root_and_its_folder_is_closed(server: Server) -> None:
    process = psutil.Process(server.pid)
    assert process.name() == "postgres"
    assert process.uids().effective != 0
    assert server.folder.root.stat().st_mode & 0o077 == 0
    for name in (".", "data", "hba.conf", f".s.PGSQL.{server.port}"):
        assert (server.folder.database / name).stat().st_mode & 0o077 == 0, name
    assert (server.folder.root / "pulumi.json").stat().st_mode & 0o777 == 0o600


def test_what_one_role_makes_the_other_can_use(server: Server) -> None:
    for maker, user in ((LOOK_ROLE, CHANGE_ROLE), (CHANGE_ROLE, LOOK_ROLE)):
        made = server.ask(maker, "CREATE TABLE shared (key text PRIMARY KEY); INSERT INTO shared VALUES ('a')")
        assert made.returncode == 0, made.stderr
        used = server.ask(user, "UPDATE shared SET key = 'b' RETURNING key; ALTER TABLE shared ADD size int")
        assert (used.returncode, used.stdout.strip()) == (0, "b"), used.stderr
        assert server.ask(user, "DROP TABLE shared").returncode == 0


def test_the_change_role_makes_a_database_for_a_role_that_it_made(server: Server) -> None:
    done = server.ask(CHANGE_ROLE, "CREATE ROLE shop_owner", database="postgres")
    assert done.returncode == 0, done.stderr
    for sql in (
        "CREATE DATABASE shop OWNER shop_owner TEMPLATE template0",
        "COMMENT ON DATABASE shop IS 'a shop'",
        "DROP DATABASE shop",
        "DROP ROLE shop_owner",
    ):
        done = server.ask(CHANGE_ROLE, sql, database="postgres")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("role", "sql", "says"),
    [
        (LOOK_ROLE, "CREATE DATABASE mine", "permission denied"),
        (LOOK_ROLE, "CREATE ROLE mine", "permission denied"),
        (LOOK_ROLE, f"SET ROLE {CHANGE_ROLE}", "permission denied"),
        (LOOK_ROLE, f"ALTER ROLE {CHANGE_ROLE} PASSWORD 'mine'", "permission denied"),
        (LOOK_ROLE, f"DROP DATABASE {DATABASE}", "must be owner"),
        (CHANGE_ROLE, f"DROP DATABASE {DATABASE}", "must be owner"),
        (CHANGE_ROLE, f"SET ROLE banksman_state; ALTER DATABASE {DATABASE} RENAME TO mine", "must be owner"),
        (CHANGE_ROLE, f"ALTER ROLE {LOOK_ROLE} PASSWORD 'mine'", "permission denied"),
        (CHANGE_ROLE, "CREATE ROLE mine SUPERUSER", "permission denied"),
        (CHANGE_ROLE, "SELECT pg_read_file('/etc/passwd')", "permission denied"),
    ],
)
def test_neither_role_does_more_than_it_is_for(server: Server, role: str, sql: str, says: str) -> None:
    done = server.ask(role, sql, database="postgres")
    assert done.returncode != 0
    assert says in done.stderr


def test_nobody_else_gets_in(server: Server) -> None:
    assert "password authentication failed" in server.ask(LOOK_ROLE, "SELECT 1", password="wrong").stderr
    assert (
        "password authentication failed"
        in server.ask(CHANGE_ROLE, "SELECT 1", password=server.password(LOOK_ROLE)).stderr
    )
    assert "no pg_hba.conf entry" in server.ask(LOOK_ROLE, "SELECT 1", database="template1").stderr
    assert "no pg_hba.conf entry" in server.ask("postgres", "SELECT 1", password="any").stderr


def test_passwords_are_kept_as_verifiers_and_in_no_log(server: Server) -> None:
    kept = server.inside("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'banksman%' AND rolcanlogin").split()
    assert len(kept) == 2
    assert all(one.startswith("SCRAM-SHA-256$") for one in kept)
    log = (server.folder.logs / "state-database.log").read_text()
    secrets = json.loads((server.folder.root / "pulumi.json").read_text())
    assert not [name for name, value in secrets.items() if value in log]


@pytest.fixture
def connected(server: Server) -> Iterator[None]:
    """Somebody who is in the middle of something."""
    argv = [str(server.programs / "psql"), "-h", HOST, "-p", str(server.port), "-U", LOOK_ROLE, "-d", DATABASE]
    env = {**ENVIRONMENT, "PGPASSWORD": server.password(LOOK_ROLE)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*argv, "-Xwc", "SELECT pg_sleep(600)"], env=env, stdout=quiet, stderr=quiet) as client:
        seen = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        deadline = time.monotonic() + 20
        while server.inside(seen) != "1":
            assert time.monotonic() < deadline
        yield
        client.kill()


@pytest.mark.usefixtures("connected")
@pytest.mark.asyncio(loop_scope="module")
async def test_it_ends_at_once_and_cleanly_and_keeps_what_it_had(server: Server) -> None:
    server.ask(LOOK_ROLE, "CREATE TABLE kept (key text); INSERT INTO kept VALUES ('still here')")
    before = server.database.secrets()
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 10, "it waits for nobody"
    assert "database system is shut down" in (server.folder.logs / "state-database.log").read_text().splitlines()[-1]
    server.database = StateDatabase(server.folder, port=server.port, environment=ENVIRONMENT)
    await server.start()
    assert server.ask(LOOK_ROLE, "SELECT key FROM kept").stdout.strip() == "still here"
    assert server.database.secrets() == before


@pytest.mark.asyncio(loop_scope="module")
async def test_one_that_is_killed_comes_back_with_what_was_written(server: Server) -> None:
    done = server.ask(CHANGE_ROLE, "CREATE TABLE written (key text); INSERT INTO written VALUES ('whole')")
    assert done.returncode == 0, done.stderr
    os.kill(server.pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while not server.is_back():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.05)  # a poll, within the deadline
    assert server.ask(LOOK_ROLE, "SELECT key FROM written").stdout.strip() == "whole"


async def test_data_of_another_release_is_left_alone(tmp_path: Path) -> None:
    folder = StackFolder(tmp_path / "s")
    (folder.database / "data").mkdir(parents=True)
    (folder.database / "data" / "PG_VERSION").write_text("9\n")
    database = StateDatabase(folder, port=1, environment=ENVIRONMENT)
    with pytest.raises(ToolUnavailableError, match="was made by PostgreSQL 9"):
        await database.prepare(HOST)
    assert (folder.database / "data" / "PG_VERSION").read_text() == "9\n"


async def test_an_address_that_is_not_ours_is_a_failure_that_says_so() -> None:
    with tempfile.TemporaryDirectory(prefix="bm-") as made:
        folder = StackFolder(Path(made) / "s")
        folder.make()
        database = StateDatabase(folder, port=Ports().take(0), environment=ENVIRONMENT)
        argv = await database.prepare("192.0.2.77")  # of nobody, by RFC 5737
        children = Children(folder=folder, options=options(folder), ports=Addresses.choose())
        spec = children.state_database(argv, address="", healthy=database.answers, on_ready=database.open)
        child = Child(spec, lambda _: None)
        with pytest.raises(ChildFailed, match=r"192\.0\.2\.77"):
            await child.start()
