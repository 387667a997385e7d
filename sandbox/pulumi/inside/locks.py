"""The locks of one stack as Pulumi's PostgreSQL backend keeps them, and the removal of exactly these.

`pulumi cancel` would remove whatever lock is there when it runs. Layout and fields: `pkg/backend/diy/lock.go` and
`pkg/backend/diy/postgres/schema.sql` at the CLI's version.
"""

import importlib
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

_PROJECT_PARTS: Final = 3


@dataclass(frozen=True)
class Lock:
    """One.

    Attributes:
        key: Where it is.
        owner: The host name of the process that made it: a container of ours names itself after its run.
    """

    key: str
    owner: str


class _Connection(Protocol):
    """What is used of `pg8000.native.Connection`."""

    def run(self, sql: str, **values: object) -> Sequence[Sequence[str]] | None: ...
    def close(self) -> None: ...


class _Driver(Protocol):
    """`pg8000.native`."""

    def Connection(  # noqa: N802, PLR0913 - the library's own
        self, user: str, *, host: str, port: int, database: str, password: str, ssl_context: ssl.SSLContext | None
    ) -> _Connection: ...


def locks_of(url: str, password: str, stack: str) -> Sequence[Lock]:
    """All locks of a stack.

    Args:
        url: The backend's, as Pulumi has it.
        password: Of its role.
        stack: `organization/PROJECT/STACK`.
    """
    if stack.count("/") != _PROJECT_PARTS - 1:
        raise ValueError(f"{stack!r} is no whole name of a stack")
    with _connected(url, password) as connection:
        # The table is made by Pulumi's first command; before that nothing is locked.
        if not connection.run("SELECT 1 FROM pg_tables WHERE tablename = 'pulumi_state'"):
            return ()
        # The backend keeps every file as JSON that holds its bytes in base64.
        rows = connection.run(
            "SELECT key, convert_from(decode(data->>'data', 'base64'), 'UTF8')::json->>'hostname' FROM pulumi_state "
            "WHERE starts_with(key, :folder)",
            # Everything lies below the path of the backend's URL, which is the database.
            folder=f"{urlsplit(url).path.lstrip('/')}/.pulumi/locks/{stack}/",
        )
    return [Lock(key=key, owner=owner) for key, owner in rows or ()]


def release(url: str, password: str, locks: Sequence[Lock]) -> None:
    """Remove these and no others."""
    with _connected(url, password) as connection:
        for lock in locks:
            connection.run("DELETE FROM pulumi_state WHERE key = :key", key=lock.key)


@contextmanager
def _connected(url: str, password: str) -> Generator[_Connection]:
    parts = urlsplit(url)
    mode = parse_qs(parts.query).get("sslmode", ["disable"])[0]
    context = None
    if mode != "disable":
        context = ssl.create_default_context()
        context.check_hostname = False  # the relay's address is not the server's name
        context.verify_mode = ssl.CERT_NONE
    driver = cast("_Driver", importlib.import_module("pg8000.native"))
    connection = driver.Connection(
        unquote(parts.username or ""),
        host=parts.hostname or "",
        port=parts.port or 5432,
        database=unquote(parts.path.lstrip("/")),
        password=password,
        ssl_context=context,
    )
    try:
        yield connection
    finally:
        connection.close()
