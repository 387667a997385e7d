"""What the steps on logins share: Vault's ports, names in its database engine, and the way into a database."""

import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from pydantic import SecretStr

from activities.neon.logins.contracts import LeasedLogin, OpenDatabase
from activities.secrets import KeepingToken
from connectors.errors import AuthDenied, NotFound
from connectors.http import Api
from connectors.neon.client import NeonProject, credential
from connectors.neon.manifest import KEY, NEON
from connectors.neon.purposes import Purpose
from connectors.postgres.session import Server
from connectors.vault.databases import Databases
from connectors.vault.leases import Lease

_CONNECTION: Final = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.([A-Za-z0-9_-]+)")
_ROLE: Final = re.compile(rf"({'|'.join(Purpose)})-(banksman-[0-9a-f]{{16}})")


class LoginToken(KeepingToken, Protocol):
    """A step's token that reaches Vault's database engine."""

    def databases(self, provider: str) -> Databases:
        """The engine of a provider, as far as the token's policy allows it."""
        ...


class LoginVault(Protocol):
    """Makes such tokens, and leases logins that outlive a step."""

    def step(
        self, action: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> AbstractAsyncContextManager[LoginToken]:
        """As `StepTokens.step`."""
        ...

    async def lend(
        self, action: str, provider: str, role: str, *, metadata: Mapping[str, str], ttl: timedelta
    ) -> Lease:
        """A login of a role of a provider's database engine."""
        ...


def connection_name(project: str, branch: str, database: str) -> str:
    """What Vault calls its connection to a database. No part but the last may hold a dot."""
    return f"{project}.{branch}.{database}"


def role_name(purpose: Purpose, mark: str) -> str:
    """What Vault calls the role that makes a goal's login."""
    return f"{purpose}-{mark}"


def engine(token: LoginToken) -> Databases:
    """Vault's engine for Neon's databases."""
    return token.databases(NEON.name)


async def our_roles(databases: Databases) -> list[str]:
    """The names of Vault's roles that make goals' logins, sorted; a step can read no other.

    Raises:
        ConnectorError: By the tree.
    """
    return sorted(one for one in await databases.roles() if _ROLE.fullmatch(one))


def place_of(role: str, connection: str) -> LeasedLogin | None:
    """The login that a Vault role is of; None where its names are not of our making."""
    named, at = _ROLE.fullmatch(role), _CONNECTION.fullmatch(connection)
    if named is None or at is None:
        return None
    project, branch, database = at.groups()
    return LeasedLogin(
        project=project, branch=branch, database=database, purpose=Purpose(named.group(1)), mark=named.group(2)
    )


@dataclass(frozen=True)
class Owner:
    """The way into a database as its owner, by Neon's API.

    Attributes:
        api: Neon's.
        fields: The key, as Vault keeps it.
    """

    api: Api
    fields: Mapping[str, SecretStr]

    async def of(self, place: OpenDatabase) -> Server:
        """Where it is, directly and not by the pooler.

        Raises:
            NotFound: The project, the branch or the database is gone.
            ConnectorError: By the tree.
        """
        async with self.api.open(credential(self.fields)) as session:
            project = NeonProject(session, place.project)
            branch = await project.by_id(place.branch)
            uri = await project.connection(branch, database=place.database)
        return Server.of(uri, what=f"{place.database!r} of {branch.name!r}")

    async def of_all(self, project: str, branch: str) -> Mapping[str, Server]:
        """Of each database of a branch, by its name.

        Raises:
            NotFound: The project or the branch is gone.
            ConnectorError: By the tree.
        """
        async with self.api.open(credential(self.fields)) as session:
            neon = NeonProject(session, project)
            found = await neon.by_id(branch)
            uris = {one.name: await neon.connection(found, database=one.name) for one in await neon.databases(found)}
        return {name: Server.of(uri, what=f"{name!r} of {found.name!r}") for name, uri in uris.items()}


async def owner(token: LoginToken, api: Api) -> Owner:
    """The way in, by a step's token.

    Raises:
        AuthDenied: Vault keeps no key.
        ConnectorError: By the tree.
    """
    try:
        return Owner(api, await token.read(KEY.path))
    except NotFound as error:
        raise AuthDenied(str(error)) from error
