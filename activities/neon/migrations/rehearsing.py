"""The step that tries a migration on a copy, and looks meanwhile what it locks; for the sandbox worker."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

import structlog
from pydantic import SecretStr
from temporalio import activity

from activities.neon.migrations.contracts import REHEARSE_MIGRATION, Rehearsed, RehearseMigration, TableLocked
from activities.neon.migrations.running import Migration, Workplace, run_migration
from activities.step import implements
from connectors.errors import InvalidRequest, Unavailable
from connectors.postgres.locks import Locks, watched_locks
from connectors.postgres.session import Server, connected

_MOST: Final = 100
_log = structlog.get_logger("banksman.neon")


class Unsealer(Protocol):
    """Opens what was sealed for one run."""

    async def unseal(self, sealed: str, *, run: str) -> Mapping[str, SecretStr]:
        """The secrets, by their names. It works once."""
        ...


class NeonRehearsals:
    """The step.

    Args:
        place: Where migrations run.
        secrets: Opens the login that another step sealed.
    """

    def __init__(self, place: Workplace, secrets: Unsealer) -> None:
        self._place, self._secrets = place, secrets

    @implements(REHEARSE_MIGRATION)
    async def rehearse_migration(self, request: RehearseMigration) -> Rehearsed:
        """Run it with the login that was sealed, which says where it leads; one that fails is a result.

        Raises:
            SandboxError: As the tree in `sandbox/errors.py` says; the guard maps it.
            ConnectorError: The login opens nothing, or the commit could not be checked out.
        """
        found = await self._secrets.unseal(request.secrets, run=activity.info().workflow_run_id or "")
        server = Server.of(found["uri"], what=f"the login to {request.database!r}")
        if server.database != request.database:
            raise InvalidRequest(f"the login that was sealed leads to {server.database!r}: seal another")
        migration = Migration(
            source=request.source,
            command=request.command,
            directory=request.directory,
            timeout_seconds=request.timeout_seconds,
        )
        async with _watching(server) as locks:
            ran = await run_migration(self._place, migration, server)
        return Rehearsed(ran=ran, locks=_told(locks), looks=locks.looks, locks_complete=locks.complete)


@asynccontextmanager
async def _watching(server: Server) -> AsyncGenerator[Locks]:
    """Where this worker does not reach the database, nothing is seen of locks, and that is told."""
    async with AsyncExitStack() as open_:
        try:
            database = await open_.enter_async_context(connected(server))
        except Unavailable as error:
            _log.warning("locks are not looked for: this worker does not reach the database", why=str(error))
            yield Locks(complete=False)
        else:
            yield await open_.enter_async_context(watched_locks(database, server.role))


def _told(locks: Locks) -> tuple[TableLocked, ...]:
    seen = list(locks.seen().items())[:_MOST]
    return tuple(TableLocked(table=table, mode=one.mode, seconds=one.seconds) for table, one in seen)
