"""The clusters behind branches: made, copied as Neon copies a branch, started when they are used, ended when not.

Clients come by TCP with a role's password; the twin itself by a socket in a folder that only it may open, as the
superuser, whom nobody else can be.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.neon.twin.postgres import SUPERUSER, Postgres, PostgresFailed

HOST: Final = "127.0.0.1"
GROUP: Final = "neon_superuser"
"""The role that every role made by the API has; it is no superuser."""

_PATIENCE: Final = 30.0
_GRACE: Final = 10.0
_POLL: Final = 0.02
_STATUS_LINE: Final = 7
_LONGEST_SOCKET: Final = 90
_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "16MB",
    "max_connections": "50",
    "max_wal_senders": "4",
    "fsync": "off",
    "autovacuum": "off",
}
_RULES: Final = f"""\
local replication {SUPERUSER} peer map=owner
local all {SUPERUSER} peer map=owner
host all {SUPERUSER} all reject
host all all all scram-sha-256
"""


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Login:
    """A role that may connect."""

    name: str
    password: str

    def created(self) -> str:
        """Makes it as Neon's API does: strong, and no superuser."""
        role = quoted(self.name)
        rights = "LOGIN CREATEDB CREATEROLE BYPASSRLS"
        return f"CREATE ROLE {role} {rights} PASSWORD {literal(self.password)}; GRANT {GROUP} TO {role};"


@dataclass
class _Cluster:
    port: int
    process: asyncio.subprocess.Process | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    held: bool = False
    """Whether a compute has it."""
    uses: int = 0
    """How much else is done with it now."""

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.returncode is None


class Clusters:
    """All clusters of a twin, by names of its own.

    Args:
        home: Their folder. What an earlier twin left there is removed.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._clusters: dict[str, _Cluster] = {}
        self._found: Postgres | None = None
        self._sockets: Path | None = None
        self._elsewhere: Path | None = None

    def runs(self, name: str) -> bool:
        """Whether it is started."""
        return name in self._clusters and self._clusters[name].runs

    async def create(self, logins: Iterable[Login], databases: Iterable[tuple[str, str]]) -> str:
        """A new one, with these roles, and databases with their owners.

        Returns:
            Its name.

        Raises:
            PostgresFailed: It cannot be made.
        """
        name, postgres = self._new(), self._postgres
        options = [f"--username={SUPERUSER}", "--encoding=UTF8", "--locale=C", "--no-sync", "--auth=reject"]
        await postgres.run("initdb", *options, str(postgres.inside / name))
        group = f"CREATE ROLE {GROUP} NOLOGIN CREATEDB CREATEROLE BYPASSRLS;"
        made = [f"CREATE DATABASE {quoted(one)} OWNER {quoted(owner)};" for one, owner in databases]
        await self.sql(name, "\n".join([group, *(one.created() for one in logins), *made]))
        return name

    async def copy(self, source: str) -> str:
        """Another with all that one holds now, its roles and their passwords among it.

        Returns:
            Its name.

        Raises:
            PostgresFailed: It cannot be made.
        """
        async with self._started(source) as cluster:
            name, postgres = self._new(), self._postgres
            options = ["--wal-method=stream", "--checkpoint=fast", "--no-sync", *self._superuser(cluster)]
            await postgres.run("pg_basebackup", *options, f"--pgdata={postgres.inside / name}")
        return name

    async def start(self, name: str) -> int:
        """Start it where it is not.

        Returns:
            Its port.

        Raises:
            PostgresFailed: It does not start.
        """
        cluster = self._clusters[name]
        cluster.held = True
        await self._run(name, cluster)
        return cluster.port

    async def stop(self, name: str) -> None:
        """End it, and whoever is connected to it, as soon as nothing else is done with it."""
        cluster = self._clusters[name]
        cluster.held = False
        await self._rest(cluster)

    async def remove(self, name: str) -> None:
        """End it, and remove all that it holds."""
        await self.stop(name)
        del self._clusters[name]
        await asyncio.to_thread(shutil.rmtree, self._home / name, ignore_errors=True)

    async def sql(self, name: str, statements: str, *, database: str = "postgres") -> str:
        """Run statements as the superuser; a cluster that is not started is for as long as they run.

        Raises:
            PostgresFailed: One of them is refused.
        """
        async with self._started(name) as cluster:
            options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
            return await self._postgres.run(
                "psql", *options, *self._superuser(cluster), f"--dbname={database}", stdin=statements
            )

    async def schema(self, name: str, database: str) -> str:
        """The statements that make a database's schema, without what differs from one look to the next.

        Raises:
            PostgresFailed: It cannot be read.
        """
        async with self._started(name) as cluster:
            dumped = await self._postgres.run(
                "pg_dump", "--schema-only", *self._superuser(cluster), f"--dbname={database}"
            )
        return "".join(one for one in dumped.splitlines(keepends=True) if not one.startswith(("--", "\\")))

    async def close(self) -> None:
        """End all, and remove what they hold."""
        for name in list(self._clusters):
            await self.remove(name)
        if self._elsewhere is not None:
            await asyncio.to_thread(shutil.rmtree, self._elsewhere, ignore_errors=True)

    @property
    def _postgres(self) -> Postgres:
        """Looked for when it is needed first, so that a twin without a connection needs none."""
        if self._found is None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._found = Postgres(self._home)
            self._sockets = self._place_sockets(self._found)
            self._found.write("hba.conf", _RULES)
            self._found.write("ident.conf", f'owner "{self._found.who}" {SUPERUSER}\n')
        return self._found

    def _place_sockets(self, postgres: Postgres) -> Path:
        """A socket's path must be short, and folders may be deep."""
        if len(str(postgres.inside)) <= _LONGEST_SOCKET:
            return postgres.inside
        self._elsewhere = Path(tempfile.mkdtemp(prefix="neon-"))
        postgres.own(self._elsewhere)
        return self._elsewhere

    def _new(self) -> str:
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
        name = secrets.token_hex(4)
        self._clusters[name] = _Cluster(port)
        return name

    @asynccontextmanager
    async def _started(self, name: str) -> AsyncGenerator[_Cluster]:
        """A cluster that runs for this long at least, and no longer than that where no compute has it."""
        cluster = self._clusters[name]
        cluster.uses += 1
        try:
            await self._run(name, cluster)
            yield cluster
        finally:
            cluster.uses -= 1
            await self._rest(cluster)

    async def _run(self, name: str, cluster: _Cluster) -> None:
        async with cluster.lock:
            if not cluster.runs:
                await self._start(name, cluster)

    async def _rest(self, cluster: _Cluster) -> None:
        async with cluster.lock:
            if cluster.process is not None and not (cluster.held or cluster.uses):
                await _end(cluster.process)
                cluster.process = None

    async def _start(self, name: str, cluster: _Cluster) -> None:
        postgres, inside = self._postgres, self._postgres.inside
        settings = {
            **_SETTINGS,
            "port": str(cluster.port),
            "unix_socket_directories": str(self._sockets),
            "hba_file": f"{inside}/hba.conf",
            "ident_file": f"{inside}/ident.conf",
        }
        options = [f"--{one}={value}" for one, value in settings.items()]
        (self._home / name / "postmaster.pid").unlink(missing_ok=True)  # of one that was killed
        log = os.open(self._home / f"{name}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            process = await postgres.start("postgres", "-D", f"{inside}/{name}", *options, log=log)
        finally:
            os.close(log)
        cluster.process = process
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self._ready(name):
                    if process.returncode is not None:
                        raise PostgresFailed(f"the server ended with {process.returncode}: {self._last_lines(name)}")
                    await asyncio.sleep(_POLL)
        except TimeoutError as error:
            await _end(process)
            raise PostgresFailed(f"the server does not come up: {self._last_lines(name)}") from error

    def _ready(self, name: str) -> bool:
        """As the server writes it down itself."""
        with contextlib.suppress(FileNotFoundError, IndexError):
            said = (self._home / name / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return said[_STATUS_LINE].strip() == "ready"
        return False

    def _last_lines(self, name: str) -> str:
        said = (self._home / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return " / ".join(said.strip().splitlines()[-3:])

    def _superuser(self, cluster: _Cluster) -> list[str]:
        return [f"--host={self._sockets}", f"--port={cluster.port}", f"--username={SUPERUSER}", "--no-password"]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
