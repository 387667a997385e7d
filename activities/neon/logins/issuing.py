"""Steps that issue a login, look whether it is there, and end it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pydantic import SecretStr
from temporalio import activity

from activities.leases.contracts import Leased, LeasedPage, LeaseStanding, ListLeased
from activities.neon.logins.contracts import (
    CHECK_LOGIN,
    END_LOGIN,
    FIND_LOGINS,
    ISSUE_LOGIN,
    NEON_LOGIN,
    PROLONG_LOGIN,
    IssueLogin,
    LeasedLogin,
    LoginEnded,
    LoginIssued,
    LoginProlonged,
    ProlongLogin,
)
from activities.neon.logins.means import (
    LoginVault,
    Owner,
    connection_name,
    engine,
    our_roles,
    owner,
    place_of,
    role_name,
)
from activities.secrets import secret_for_step, step_metadata, token_for_step
from activities.step import implements
from connectors.creation import mark
from connectors.errors import InvalidRequest, NotFound, Unavailable
from connectors.http import Api
from connectors.neon import logins
from connectors.neon.client import DIALECT
from connectors.neon.manifest import ISSUE, LEND, LOGIN, LOOK, NEON, READ
from connectors.postgres.session import Server, connected
from connectors.vault.databases import Databases, LoginRole
from connectors.vault.kv import MOUNT

_SHORTEST: Final = timedelta(minutes=1)
_PAGE: Final = 100
_SLACK: Final = timedelta(minutes=2)
"""A login lives from its own issue on, and its lease from a moment before."""
_log = structlog.get_logger("banksman.neon")


class NeonIssuing:
    """The steps.

    Args:
        vault: Makes their tokens, and leases logins.
        base_url: Where Neon is.
    """

    def __init__(self, vault: LoginVault, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(DIALECT, base_url=base_url)

    @implements(ISSUE_LOGIN)
    async def issue_login(self, request: IssueLogin) -> LoginIssued:
        """See that the goal has one login, and keep it in Vault. What an attempt before was issued is ended first.

        Raises:
            ConnectorError: As the tree says; `InvalidRequest` where its end is too near.
        """
        ttl = request.ends_at - datetime.now(UTC)
        if ttl < _SHORTEST:
            raise InvalidRequest(f"a login to {request.database!r} would end at once: choose a later end")
        marked = mark(activity.info().workflow_id or "", request.part)
        role = role_name(request.purpose, marked)
        said = logins.statements(request.database, request.purpose)
        async with token_for_step(self._vault, ISSUE) as token:
            server = await (await owner(token, self._api)).of(request)
            await _make_way(engine(token), server, request.database, role)
            await engine(token).define(
                LoginRole(
                    name=role,
                    connection=connection_name(request.project, request.branch, request.database),
                    creation=said.creation,
                    revocation=said.revocation,
                    ttl=ttl,
                )
            )
            lease = await self._vault.lend(LEND.name, NEON.name, role, metadata=step_metadata(), ttl=ttl)
            username, password = (lease.fields[one] for one in ("username", "password"))
            uri = f"postgresql://{username.get_secret_value()}:{password.get_secret_value()}@{server.address}"
            path = LOGIN.at(marked)
            await token.write(path, {"uri": SecretStr(uri), "username": username, "password": password})
        return LoginIssued(
            secret=f"{MOUNT}/{path}",
            host=server.host,
            port=server.port,
            database=server.database,
            role=username.get_secret_value(),
            expires_at=datetime.now(UTC) + timedelta(seconds=lease.seconds),
        )

    @implements(FIND_LOGINS)
    async def find_logins(self, request: ListLeased) -> LeasedPage:
        """All logins that Vault has a role for.

        Raises:
            ConnectorError: As the tree says.
        """
        async with token_for_step(self._vault, LOOK) as token:
            names = [one for one in await our_roles(engine(token)) if one > request.after]
            page = names[:_PAGE]
            found = [one async for one in _leased(engine(token), page)]
        return LeasedPage(found=tuple(found), after=page[-1] if len(names) > _PAGE else "")

    @implements(CHECK_LOGIN)
    async def check_login(self, request: LeasedLogin) -> LeaseStanding:
        """Whether a login is in the database, or Vault still has what makes it.

        Raises:
            ConnectorError: As the tree says.
        """
        role = role_name(request.purpose, request.mark)
        async with token_for_step(self._vault, LOOK) as token:
            if await engine(token).connection_of(role) is not None:
                return LeaseStanding(there=True, told="Vault has the role that makes it")
            try:
                server = await (await owner(token, self._api)).of(request)
            except NotFound:
                return LeaseStanding(there=False)
        async with connected(server) as database:
            left = await logins.logins_of(database, role)
        return LeaseStanding(there=bool(left), told=f"the database knows {len(left)} of its roles" if left else "")

    @implements(PROLONG_LOGIN)
    async def prolong_login(self, request: ProlongLogin) -> LoginProlonged:
        """See that a login lives for so long: its lease holds none beyond what PostgreSQL lets it in.

        Raises:
            ConnectorError: As the tree says; `InvalidRequest` where it ends sooner.
        """
        role = role_name(request.purpose, request.mark)
        async with secret_for_step(self._vault, READ) as fields:
            server = await Owner(self._api, fields).of(request)
        async with connected(server) as database:
            until = await logins.valid_until(database, role)
        if until is None or until + _SLACK < request.until:
            ends = f"ends {until:%Y-%m-%d %H:%M} UTC" if until is not None else "is not there any more"
            raise InvalidRequest(
                f"the login to {request.database!r} {ends}, and no lease prolongs one: ask for another"
            )
        return LoginProlonged(until=request.until)

    @implements(END_LOGIN)
    async def end_login(self, request: LeasedLogin) -> LoginEnded:
        """End whatever this mark was issued: by Vault, and what Vault gave up on as the database's owner.

        Raises:
            ConnectorError: As the tree says; `Unavailable` where something is left.
        """
        role, dropped = role_name(request.purpose, request.mark), list[str]()
        async with token_for_step(self._vault, ISSUE) as token:
            refused = await _ended_by_vault(engine(token), role)
            try:
                server = await (await owner(token, self._api)).of(request)
            except NotFound:  # with the database all that could log in to it is gone
                await engine(token).disconnect(connection_name(request.project, request.branch, request.database))
            else:
                dropped = await _dropped(server, request.database, role)
                if refused is not None:
                    _log.warning("Vault could not end logins; their owner did", role=role, why=refused)
            await engine(token).forget(role)
            await token.delete(LOGIN.at(request.mark))
        return LoginEnded(dropped=tuple(dropped))


async def _leased(databases: Databases, roles: list[str]) -> AsyncIterator[Leased]:
    for role in roles:
        place = place_of(role, await databases.connection_of(role) or "")
        if place is not None:
            yield NEON_LOGIN.leased(place, mark=place.mark, name=f"{place.database} ({place.purpose})")


async def _ended_by_vault(databases: Databases, role: str) -> str | None:
    """Why Vault could not; None where it did."""
    try:
        await databases.end(role)
    except Unavailable as error:
        return str(error)
    return None


async def _make_way(databases: Databases, server: Server, name: str, role: str) -> None:
    """End what a role was issued before: also where its branch was made anew since, in which there is no such login."""
    if await _ended_by_vault(databases, role) is not None:
        await _dropped(server, name, role)
        await databases.forget(role)


async def _dropped(server: Server, name: str, role: str) -> list[str]:
    async with connected(server) as database:
        left = await logins.logins_of(database, role)
        for login in left:
            await logins.drop(database, name, login)
        if remaining := await logins.logins_of(database, role):
            raise Unavailable(f"{len(remaining)} logins of {name!r} are still there: {', '.join(remaining)}")
    return left
