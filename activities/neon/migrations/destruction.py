"""The step that migrates a database, by a grant; for the destructive worker.

Its login is made for it alone and ends with it. Who comes again after a lost worker ends first whatever the one before
was issued, so that nothing of it works any more; then the schema says what was done, and what was begun is never run a
second time on a schema that is not the one it was planned on.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, Protocol

import structlog
from temporalio import activity

from activities.guard.current_attempt import Use, current_attempt
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveTokens, Held
from activities.neon.logins.contracts import OpenDatabase
from activities.neon.logins.means import LoginToken, Owner, connection_name, engine, role_name
from activities.neon.migrations.contracts import (
    MIGRATE_DATABASE,
    DatabaseMigrated,
    MigrateDatabaseParameters,
    Ran,
)
from activities.neon.migrations.running import Migration, Workplace, run_migration
from activities.sandbox.contracts import Source
from activities.step import implements
from connectors.creation import mark
from connectors.errors import Conflict, ConnectorError, InvalidRequest
from connectors.http import Api
from connectors.neon import logins, manifest
from connectors.neon.client import DIALECT, NeonProject, credential
from connectors.neon.purposes import Purpose
from connectors.postgres.schema import look_at_schema
from connectors.postgres.session import Server, connected
from connectors.vault.databases import LoginRole
from hitl.approval.plan import PlanError
from sandbox.errors import SandboxError

_BESIDE: Final = timedelta(minutes=10)
"""What the step may take beyond the command's own time."""
_log = structlog.get_logger("banksman.neon")


class MigrationEngine(Protocol):
    """The container engine, as far as migrations need it."""

    async def workplace(self) -> Workplace:
        """Where they run now.

        Raises:
            Unavailable: There is no engine yet: tried again later.
        """
        ...


class NeonMigrations:
    """The step.

    Args:
        tokens: Hands out the token that makes the login, for one step with a grant.
        engine: Where migrations run.
        base_url: Where Neon is.
    """

    def __init__(self, tokens: DestructiveTokens[LoginToken], engine: MigrationEngine, *, base_url: str) -> None:
        self._tokens, self._engine, self._api = tokens, engine, Api(DIALECT, base_url=base_url)

    @implements(MIGRATE_DATABASE)
    async def migrate_database(self, request: GrantedRequest) -> DatabaseMigrated:
        """Run what was approved, on the schema that it was tried on, or nothing.

        Raises:
            Conflict: Branch or schema are no longer what was approved; nothing was changed.
            ConnectorError: Nothing was changed, for another reason.
            SandboxError: The same.
        """
        try:
            wanted = request.approved().parameters_as(MigrateDatabaseParameters)
        except PlanError as error:
            raise InvalidRequest(str(error)) from error
        place = await self._engine.workplace()
        async with self._tokens.hold(manifest.MIGRATE, ttl=timedelta(seconds=wanted.timeout_seconds) + _BESIDE) as held:
            address = await self._address(held, wanted)
            async with _login(held, wanted, address) as server:
                return await _Execution(wanted, server, place, held).run()

    async def _address(self, held: Held[LoginToken], wanted: MigrateDatabaseParameters) -> Server:
        """Where the database is, by Neon's own word and not by the plan's."""
        async with self._api.open(credential(held.fields)) as session:
            branch = await NeonProject(session, wanted.account).by_id(wanted.branch_id)
        if branch.name != wanted.branch_name:
            raise Conflict(
                f"the branch {wanted.branch_id!r} was called {wanted.branch_name!r} when people approved its "
                f"migration, and has another name now: nothing was changed; plan again"
            )
        place = OpenDatabase(**wanted.place().model_dump(), purpose=Purpose.MIGRATE)
        return await Owner(self._api, held.fields).of(place)


@asynccontextmanager
async def _login(held: Held[LoginToken], wanted: MigrateDatabaseParameters, address: Server) -> AsyncGenerator[Server]:
    """A login of this attempt's own; whatever an earlier attempt was issued is ended first, with whoever uses it."""
    databases = engine(held.token)
    role = role_name(Purpose.MIGRATE, mark(activity.info().workflow_id or "", "real"))
    said = logins.statements(wanted.database, Purpose.MIGRATE)
    await held.last_look()  # or it would end what a later attempt was issued
    await databases.end(role)
    await databases.define(
        LoginRole(
            name=role,
            connection=connection_name(wanted.account, wanted.branch_id, wanted.database),
            creation=said.creation,
            revocation=said.revocation,
            ttl=timedelta(seconds=wanted.timeout_seconds) + _BESIDE,
        )
    )
    try:
        lease = await databases.lend(role)
        yield Server(
            host=address.host,
            port=address.port,
            database=address.database,
            role=lease.fields["username"].get_secret_value(),
            password=lease.fields["password"],
        )
    finally:
        await asyncio.shield(_ended(held, role))


async def _ended(held: Held[LoginToken], role: str) -> None:
    """Of the attempt that is the current one; another's is not touched, and what fails ends with the token."""
    databases = engine(held.token)
    try:
        await held.last_look()
        await databases.end(role)
        await databases.forget(role)
    except ConnectorError as error:
        _log.warning("the login of a migration was not ended; it ends with its token", role=role, why=str(error))


class _Execution:
    """One attempt, with a login that works."""

    def __init__(
        self, wanted: MigrateDatabaseParameters, server: Server, place: Workplace, held: Held[LoginToken]
    ) -> None:
        self._wanted, self._server, self._place, self._held = wanted, server, place, held

    async def run(self) -> DatabaseMigrated:
        now = await self._look()
        if now != self._wanted.schema_before:
            return self._not_begun(now)
        try:
            ran = await run_migration(self._place, self._migration(), self._server, last_look=self._held.last_look)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or not details.cancel_requested:
                raise  # the worker ends: another attempt reads what was done
            return await self._told(None, "it was cancelled")
        except SandboxError as error:
            told = await self._told(None, f"its container was lost ({error})")
            if told.schema_now == self._wanted.schema_before:
                raise  # nothing is there of it: tried again
            return told
        return await self._told(ran, ran.sentence())

    def _not_begun(self, now: str) -> DatabaseMigrated:
        """What an earlier attempt left; or, at the first, somebody else.

        Raises:
            Conflict: It was somebody else.
        """
        if current_attempt().use is Use.FIRST:
            raise Conflict(
                f"the schema of {self._wanted.resource!r} is no longer the one that the migration was tried on: "
                "nothing was changed; plan again"
            )
        lost = "a worker was lost while it ran"
        if now == self._wanted.schema_after:
            return DatabaseMigrated(way="completed", why=f"{lost}; the schema is as planned", schema_now=now)
        return DatabaseMigrated(
            way="partially_applied",
            why=f"{lost}, and the schema is neither as before nor as planned",
            schema_now=now,
        )

    async def _told(self, ran: Ran | None, how: str) -> DatabaseMigrated:
        """How it ended, by the schema that is there."""
        try:
            now = await self._look()
        except ConnectorError as error:
            return DatabaseMigrated(way="unknown", why=f"{how}; nobody could look at the schema: {error}", ran=ran)
        well = ran is not None and ran.well
        told = DatabaseMigrated(way="completed", ran=ran, schema_now=now)
        if now == self._wanted.schema_after:
            if well:
                return told
            return told.model_copy(update={"way": "partially_applied", "why": f"the schema is as planned, but {how}"})
        if now == self._wanted.schema_before:
            return told.model_copy(update={"way": "refused", "why": f"{how}; schema and versions are as before"})
        why = f"{how}; the schema is neither as before nor as planned"
        return told.model_copy(update={"way": "partially_applied", "why": why})

    async def _look(self) -> str:
        async with connected(self._server) as database:
            return (await look_at_schema(database)).digest

    def _migration(self) -> Migration:
        wanted = self._wanted
        return Migration(
            source=Source(repository=wanted.repository, commit=wanted.commit, pack=wanted.pack),
            command=wanted.command,
            directory=wanted.directory,
            timeout_seconds=wanted.timeout_seconds,
        )
