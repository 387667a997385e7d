"""Vault's database engine: connections, the roles that make logins there, and the end of what they made.

A mount of our own for each provider, so that no name that a step may write is another's. A Vault role is made for each
thing that holds logins and has its mark in its name: all that it ever made, also what an answer that was lost made,
ends by that one name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import hvac
from pydantic import SecretStr

from connectors.errors import InvalidRequest, NotFound, Unavailable
from connectors.vault.known import known
from connectors.vault.leases import Lease
from connectors.vault.transport import Transport, fields

_PLUGIN: Final = "postgresql-database-plugin"
_IDLE: Final = -1
"""No connection is kept open: a compute sleeps when nobody is connected."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How Vault connects to one database.

    Attributes:
        name: Of the connection.
        url: With `{{username}}` and `{{password}}`.
        username: Vault's administrator there.
        password: Its password; nobody can read it in Vault again.
        roles: Which roles may use it, with `*` for more of a name.
        naming: The template by which logins are named.
    """

    name: str
    url: str
    username: str
    password: SecretStr = field(repr=False)
    roles: Sequence[str]
    naming: str


@dataclass(frozen=True, kw_only=True)
class LoginRole:
    """How logins of one kind are made and ended.

    Attributes:
        name: Of the role.
        connection: By which connection.
        creation: Statements.
        revocation: Statements.
        ttl: How long each login lives.
    """

    name: str
    connection: str
    creation: Sequence[str]
    revocation: Sequence[str]
    ttl: timedelta


def engine_of(provider: str) -> str:
    """Where a provider's databases are."""
    return f"banksman-{provider}"


class Databases:
    """The engine of one provider, by a token that may do one part of it.

    Args:
        transport: To Vault.
        token: Whose policy says which part.
        provider: Whose databases.
    """

    def __init__(self, transport: Transport, token: SecretStr, provider: str) -> None:
        self._transport, self._token, self._mount = transport, token, engine_of(provider)

    async def connect(self, wanted: Connection) -> None:
        """Keep a connection, which Vault tries at once. Safe to repeat.

        Raises:
            Unavailable: Vault cannot connect: another password was set meanwhile, or the database is away.
            ConnectorError: By the tree.
        """
        body = {
            "plugin_name": _PLUGIN,
            "connection_url": wanted.url,
            "username": wanted.username,
            "password": wanted.password.get_secret_value(),
            "allowed_roles": list(wanted.roles),
            "username_template": wanted.naming,
            "max_idle_connections": _IDLE,
        }
        try:
            await self._write(f"the connection {wanted.name!r}", f"config/{wanted.name}", body)
        except InvalidRequest as refused:
            # Vault quotes what it was given, and the driver's words: none of it is passed on.
            raise Unavailable(f"Vault cannot connect as {wanted.username!r} by {wanted.name!r}") from refused.__cause__

    async def disconnect(self, name: str) -> None:
        """Forget a connection; one that is not there is fine.

        Raises:
            ConnectorError: By the tree.
        """
        await self._delete(f"the end of the connection {name!r}", f"config/{name}")

    async def connections(self) -> list[str]:
        """The names of all connections.

        Raises:
            ConnectorError: By the tree.
        """
        return await self._list("the connections to databases", "config")

    async def define(self, role: LoginRole) -> None:
        """Keep how logins are made. Safe to repeat.

        Raises:
            ConnectorError: By the tree.
        """
        seconds = f"{int(role.ttl.total_seconds())}s"
        body = {
            "db_name": role.connection,
            "creation_statements": list(role.creation),
            "revocation_statements": list(role.revocation),
            "default_ttl": seconds,
            "max_ttl": seconds,
        }
        await self._write(f"the role {role.name!r}", f"roles/{role.name}", body)

    async def connection_of(self, role: str) -> str | None:
        """By which connection a role makes logins; None where there is no such role.

        Raises:
            ConnectorError: By the tree.
        """
        try:
            found = await self._call(f"the role {role!r}", lambda vault: vault.read(f"{self._mount}/roles/{role}"))
        except NotFound:
            return None
        return str(fields(found, "data", "db_name")) if found else None

    async def roles(self) -> list[str]:
        """The names of all roles.

        Raises:
            ConnectorError: By the tree.
        """
        return await self._list("the roles of databases", "roles")

    async def end(self, role: str) -> None:
        """End each login that a role made, at its database, and wait until it is done.

        Raises:
            Unavailable: Vault cannot end one of them; it may have given up on it.
            ConnectorError: By the tree.
        """
        what = f"the end of what {role!r} made"
        try:
            await self._revoke(what, "revoke-prefix", role)
        except InvalidRequest as refused:
            raise Unavailable(f"Vault is refused {what} by the database: it is tried again") from refused.__cause__

    async def forget(self, role: str) -> None:
        """Let Vault forget the logins of a role, whatever stands at the database, and then the role itself.

        Raises:
            ConnectorError: By the tree.
        """
        await self._revoke(f"what Vault knows of {role!r}", "revoke-force", role)
        await self._delete(f"the end of the role {role!r}", f"roles/{role}")

    async def lend(self, role: str) -> Lease:
        """A login, which ends with this token at the latest. Not to be tried again blindly: each is another login.

        Raises:
            ConnectorError: By the tree.
        """
        answer = await self._call(
            f"a login of {role!r}",
            lambda vault: vault.secrets.database.generate_credentials(name=role, mount_point=self._mount),
        )
        values: Mapping[str, Any] = fields(answer, "data")
        return Lease(
            lease_id=fields(answer, "lease_id"),
            seconds=fields(answer, "lease_duration"),
            fields=known({name: SecretStr(str(value)) for name, value in values.items()}),
        )

    async def _revoke(self, what: str, how: str, role: str) -> None:
        path = f"/v1/sys/leases/{how}/{self._mount}/creds/{role}"
        # Said explicitly: Vault and OpenBao differ in what they do without it.
        await self._call(what, lambda vault: vault.adapter.put(path, json={"sync": True}))

    async def _write(self, what: str, path: str, body: Mapping[str, object]) -> None:
        await self._call(what, lambda vault: vault.write_data(f"{self._mount}/{path}", data=dict(body)))

    async def _delete(self, what: str, path: str) -> None:
        await self._call(what, lambda vault: vault.delete(f"{self._mount}/{path}"))

    async def _list(self, what: str, path: str) -> list[str]:
        try:
            found = await self._call(what, lambda vault: vault.list(f"{self._mount}/{path}"))
        except NotFound:
            return []
        return [str(one) for one in fields(found, "data", "keys")] if found else []

    async def _call(self, what: str, work: Callable[[hvac.Client], object]) -> object:
        return await self._transport.call(what, self._token, work)
