"""A connection to one database as one role, for the moment of a step.

`pg8000` is blocking; each call runs in a thread. Nothing is tried again here. A password goes over TLS with a
certificate that this machine trusts, unless the database is on this very machine.
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TypeVar, cast
from urllib.parse import unquote, urlsplit

import pg8000.native
from pydantic import SecretStr

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, MalformedAnswer, NotFound, Unavailable

Answer = TypeVar("Answer")
Rows = Sequence[Sequence[Any]]

_TIMEOUT: Final = 60
"""Seconds for one answer: a compute that sleeps has to wake up first."""
_PORT: Final = 5432
_KINDS: Final = (
    ("28", AuthDenied),
    ("3D000", NotFound),
    ("08", Unavailable),
    ("40", Unavailable),
    ("53", Unavailable),
    ("55P03", Unavailable),
    ("57", Unavailable),
)
"""By the beginning of PostgreSQL's code; every other one says that the statement itself is refused."""


class _Connection(Protocol):
    """What is used of `pg8000.native.Connection`."""

    def run(self, sql: str, **values: object) -> Rows | None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Server:
    """Where a database is, and who connects.

    Attributes:
        host: Its name or address.
        port: Of PostgreSQL's own protocol.
        database: Its name.
        role: Who connects.
        password: Of that role.
    """

    host: str
    port: int
    database: str
    role: str
    password: SecretStr

    @classmethod
    def of(cls, uri: SecretStr, *, what: str) -> Self:
        """The same, read from a connection string.

        Args:
            uri: As providers write one.
            what: Whose it is, for the message.

        Raises:
            MalformedAnswer: It names no host, role or database.
        """
        parts = urlsplit(uri.get_secret_value())
        database = unquote(parts.path.removeprefix("/"))
        if not (parts.hostname and parts.username and database):
            raise MalformedAnswer(f"the connection string of {what} names no host, role or database")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORT,
            database=database,
            role=unquote(parts.username),
            password=SecretStr(unquote(parts.password or "")),
        )

    @property
    def local(self) -> bool:
        """Whether it is on this very machine."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    @property
    def sslmode(self) -> str:
        """As libpq and its like are told."""
        return "disable" if self.local else "verify-full"

    @property
    def address(self) -> str:
        """Host, port, database and mode, as the end of a connection string."""
        return f"{self.host}:{self.port}/{self.database}?sslmode={self.sslmode}"


class Database:
    """A connection.

    Made by `connected`.
    """

    def __init__(self, connection: _Connection, server: Server) -> None:
        self._connection, self._server = connection, server

    async def run(self, sql: str, **values: object) -> Rows:
        """Run statements; with values, one.

        Args:
            sql: With `:name` for each value.
            values: By those names.

        Raises:
            ConnectorError: By the tree.
        """
        return await self._call(lambda: self._connection.run(sql, **values) or ())

    async def names(self, sql: str, **values: object) -> list[str]:
        """The first column of what a statement answers.

        Raises:
            ConnectorError: By the tree.
        """
        return [str(row[0]) for row in await self.run(sql, **values)]

    @asynccontextmanager
    async def whole(self) -> AsyncGenerator[None]:
        """A transaction: what is run in the block is done wholly or not at all.

        Raises:
            ConnectorError: By the tree.
        """
        await self.run("BEGIN")
        try:
            yield
        except ConnectorError:  # whatever else raises ends the connection, and the transaction with it
            with contextlib.suppress(ConnectorError):
                await self.run("ROLLBACK")
            raise
        await self.run("COMMIT")

    async def _call(self, work: Callable[[], Answer]) -> Answer:
        def run() -> Answer:
            with _mapped(self._server):
                return work()

        return await asyncio.to_thread(run)


@asynccontextmanager
async def connected(server: Server) -> AsyncGenerator[Database]:
    """A connection, for as long as the block runs.

    Raises:
        AuthDenied: The role is not let in.
        Unavailable: Nobody answers.
        ConnectorError: By the tree.
    """
    opening = asyncio.create_task(asyncio.to_thread(_open, server))
    try:
        connection = await asyncio.shield(opening)
    except asyncio.CancelledError:
        with contextlib.suppress(ConnectorError):
            await asyncio.to_thread(_close, await opening)
        raise
    try:
        yield Database(connection, server)
    finally:
        await asyncio.shield(asyncio.to_thread(_close, connection))


def _open(server: Server) -> _Connection:
    with _mapped(server):
        opened = pg8000.native.Connection(  # pyright: ignore[reportUnknownMemberType] - it has no types
            server.role,
            host=server.host,
            port=server.port,
            database=server.database,
            password=server.password.get_secret_value(),
            ssl_context=None if server.local else ssl.create_default_context(),
            timeout=_TIMEOUT,
            application_name="banksman",
        )
        return cast("_Connection", opened)


def _close(connection: _Connection) -> None:
    with contextlib.suppress(pg8000.native.Error, OSError):
        connection.close()


@contextlib.contextmanager
def _mapped(server: Server) -> Generator[None]:
    where = f"the database {server.database!r} at {server.host!r}"
    try:
        yield
    except pg8000.native.DatabaseError as error:
        told: object = error.args[0] if error.args else None
        fields = cast("dict[str, str]", told) if isinstance(told, dict) else {}
        code, message = fields.get("C", ""), fields.get("M", "")
        kind = next((kind for beginning, kind in _KINDS if code.startswith(beginning)), InvalidRequest)
        if kind is AuthDenied:
            raise AuthDenied(f"{where} does not let {server.role!r} in", code=code) from error
        raise kind(f"{where} refuses a statement of {server.role!r}: {message[:200]} ({code})", code=code) from error
    except (pg8000.native.InterfaceError, OSError) as error:
        raise Unavailable(f"{where} does not answer ({type(error).__name__})") from error
