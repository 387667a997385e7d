"""Steps that prepare a database for logins, and that see to it that a branch has no others."""

import asyncio
import secrets
from collections import defaultdict

from pydantic import SecretStr

from activities.neon.logins.contracts import (
    OPEN_DATABASE,
    SWEEP_LOGINS,
    DatabaseOpened,
    LoginsSwept,
    OpenDatabase,
    SweepLogins,
)
from activities.neon.logins.means import LoginVault, connection_name, engine, our_roles, owner
from activities.secrets import token_for_step
from activities.step import implements
from connectors.http import Api
from connectors.neon import logins
from connectors.neon.client import DIALECT
from connectors.neon.manifest import LOOK, OPEN
from connectors.postgres.session import connected
from connectors.vault.databases import Connection, Databases


class NeonOpening:
    """The steps.

    Args:
        vault: Makes their tokens.
        base_url: Where Neon is.
    """

    def __init__(self, vault: LoginVault, *, base_url: str) -> None:
        self._vault, self._api = vault, Api(DIALECT, base_url=base_url)
        # Each opening sets another password: of two at once, Vault would be told one that does not hold any more.
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @implements(OPEN_DATABASE)
    async def open_database(self, request: OpenDatabase) -> DatabaseOpened:
        """See that a purpose has its role in the database, and that Vault makes its logins there.

        Safe to repeat: each time Vault's administrator gets another password, which nobody keeps but Vault.

        Raises:
            ConnectorError: As the tree says; `NotFound` where there is no such branch or database.
        """
        name = connection_name(request.project, request.branch, request.database)
        async with token_for_step(self._vault, OPEN) as token, self._turns[name]:
            server = await (await owner(token, self._api)).of(request)
            password = SecretStr(secrets.token_hex(24))
            async with connected(server) as database:
                await logins.prepare(database, request.database, request.purpose, owner=server.role, password=password)
            await engine(token).connect(
                Connection(
                    name=name,
                    url=f"postgresql://{{{{username}}}}:{{{{password}}}}@{server.address}",
                    username=logins.administrator(request.database),
                    password=password,
                    roles=[f"{one}-*" for one in logins.Purpose],
                    naming=logins.USERNAME,
                )
            )
        return DatabaseOpened(host=server.host, port=server.port, database=server.database)

    @implements(SWEEP_LOGINS)
    async def sweep_logins(self, request: SweepLogins) -> LoginsSwept:
        """End each login of ours in a branch that Vault did not make for it.

        A branch begins with its parent's logins, and one that was restored has logins again that were ended: both
        open it until they expire, and nobody else knows of them.

        Raises:
            ConnectorError: As the tree says; `NotFound` where there is no such branch.
        """
        dropped: list[str] = []
        async with token_for_step(self._vault, LOOK) as token:
            servers = await (await owner(token, self._api)).of_all(request.project, request.branch)
            for name, server in servers.items():
                async with connected(server) as database:
                    # Looked at before Vault's roles are, each of which is there before the first login that it makes.
                    if not (there := await logins.all_logins(database)):
                        break
                    known = await _roles_of(engine(token), connection_name(request.project, request.branch, ""))
                    stale = logins.unknown(there, known)
                    dropped += [one for one in stale if await logins.drop(database, name, one)]
        return LoginsSwept(dropped=tuple(sorted(dropped)))


async def _roles_of(databases: Databases, connections: str) -> list[str]:
    """Vault's roles that make logins by a connection of this beginning."""
    found = {one: await databases.connection_of(one) for one in await our_roles(databases)}
    return [one for one, connection in found.items() if (connection or "").startswith(connections)]
