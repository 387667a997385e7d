"""Logins of one database that live for hours: what its owner prepares for them, what Vault runs, and what is left.

Facts: from PostgreSQL 16 on a role has no right to itself to give away, so no other can be made a member of the
database's owner; and whoever makes a role has no right to what that role owns unless it is granted. So each database
has roles without a login, one for each purpose, through which alone logins have rights; the owner is a member of the
one that migrates, which owns what the owner did. An administrator of Vault's own, who is no superuser, makes logins as
members of these, and is made a member of each login, to give back and drop what it owns (tried on 16 and 18).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from connectors.errors import InvalidRequest
from connectors.neon.purposes import Purpose
from connectors.postgres.names import literal, quoted
from connectors.postgres.session import Database

LONGEST_DATABASE: Final = 40
"""Characters: the names of the roles are made of it, and PostgreSQL cuts them at 63."""

USERNAME: Final = "v-{{.RoleName}}-{{random 8 | lowercase}}"
"""How Vault names a login: 46 characters at most, and its role's name whole, so that one finds what belongs to it."""

_OURS: Final = "v-%-banksman-%"
_SCHEMAS: Final = """\
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND has_schema_privilege(oid, 'USAGE WITH GRANT OPTION')
"""
_LOGINS: Final = "SELECT rolname FROM pg_roles WHERE rolname LIKE :like ORDER BY rolname"
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtext('banksman'))"
"""Two workers that prepare one database at once would both make its roles."""
_MEANWHILE: Final = frozenset({"42704", "XX000"})
"""Another one, or Vault, has just ended that login: it is not there, or was changed by somebody at the same time."""
_VALID: Final = "SELECT rolname, rolvaliduntil FROM pg_roles WHERE rolname LIKE :like"
_GROUP: Final = """\
SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles v ON v.oid = m.member
WHERE v.rolname = :login AND starts_with(g.rolname, 'banksman_')
"""


@dataclass(frozen=True)
class Statements:
    """What Vault runs, in `{{…}}` what it fills in."""

    creation: tuple[str, ...]
    revocation: tuple[str, ...]


def administrator(database: str) -> str:
    """The role that Vault connects as."""
    return f"banksman_vault_{database}"


def group(database: str, purpose: Purpose) -> str:
    """The role without a login that has the rights of a purpose."""
    return f"banksman_{purpose}_{database}"


def prefix_of(role: str) -> str:
    """How the name of each login of a Vault role begins."""
    return f"v-{role}-"


def statements(database: str, purpose: Purpose) -> Statements:
    """How Vault makes and ends a login.

    A login that migrates acts as its group from its first statement on, so that what it makes belongs to the group.
    """
    owner = quoted(group(database, purpose))
    acts = (f'ALTER ROLE "{{{{name}}}}" SET role = {literal(group(database, purpose))};',)
    return Statements(
        creation=(
            """CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';""",
            f'GRANT {owner} TO "{{{{name}}}}";',
            'GRANT "{{name}}" TO CURRENT_USER;',
            *(acts if purpose is Purpose.MIGRATE else ()),
        ),
        revocation=(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';""",
            f'REASSIGN OWNED BY "{{{{name}}}}" TO {owner};',
            'DROP OWNED BY "{{name}}";',
            'DROP ROLE IF EXISTS "{{name}}";',
        ),
    )


async def prepare(database: Database, name: str, purpose: Purpose, *, owner: str, password: SecretStr) -> None:
    """See that a purpose has its role, and Vault an administrator with this password. As the owner; twice is fine.

    Args:
        database: The connection.
        name: Of the database.
        purpose: For `MIGRATE`, what the owner owns goes to its group, of which the owner is a member.
        owner: Who is connected.
        password: New for the administrator.

    Raises:
        InvalidRequest: The name is too long, or PostgreSQL refuses: the owner may make no roles.
        ConnectorError: By the tree.
    """
    if len(name) > LONGEST_DATABASE:
        raise InvalidRequest(f"the database {name!r} has more than {LONGEST_DATABASE} characters: it gets no logins")
    admin, groups = administrator(name), {one: group(name, one) for one in Purpose}
    async with database.whole():
        await database.run(_ONE_AT_A_TIME)
        there = set(await database.names("SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'banksman_')"))
        for role in (admin, *groups.values()):
            if role not in there:
                await database.run(f"CREATE ROLE {quoted(role)} NOLOGIN")
        said = literal(password.get_secret_value())
        await database.run(f"ALTER ROLE {quoted(admin)} WITH LOGIN CREATEROLE PASSWORD {said}")
        for role in groups.values():
            await database.run(f"GRANT {quoted(role)} TO {quoted(admin)} WITH ADMIN OPTION")
        # As a member the owner can use what migrations make, and take the administrator's part where Vault cannot.
        await database.run(f"GRANT {quoted(groups[Purpose.MIGRATE])}, {quoted(admin)} TO {quoted(owner)}")
        for statement in await _rights(database, name, owner, groups):
            await database.run(statement)
        if purpose is Purpose.MIGRATE:
            await _give_to_group(database, owner, groups[purpose])


async def all_logins(database: Database) -> list[str]:
    """All logins of ours in a branch, of whichever of its databases.

    Raises:
        ConnectorError: By the tree.
    """
    return await database.names(_LOGINS, like=_OURS)


def unknown(logins: Sequence[str], roles: Sequence[str]) -> list[str]:
    """Those that none of these Vault roles made."""
    beginnings = tuple(map(prefix_of, roles))
    return [one for one in logins if not one.startswith(beginnings)]


async def logins_of(database: Database, role: str) -> list[str]:
    """The logins that a Vault role made, and that are there.

    Raises:
        ConnectorError: By the tree.
    """
    return [one for one in await all_logins(database) if one.startswith(prefix_of(role))]


async def valid_until(database: Database, role: str) -> datetime | None:
    """Until when the last login of a Vault role is let in; None where there is none.

    Raises:
        ConnectorError: By the tree.
    """
    found = [
        moment
        for login, moment in await database.run(_VALID, like=_OURS)
        if str(login).startswith(prefix_of(role)) and isinstance(moment, datetime)
    ]
    return max(found, default=None)


async def drop(database: Database, name: str, login: str) -> bool:
    """End a login as Vault would, and whoever is connected with it. As the owner.

    Args:
        database: The connection.
        name: Of the database.
        login: Which one.

    Returns:
        Whether it belonged to this database; another one's is left alone. One that Vault ends at the same time may
        still be there: look again.

    Raises:
        ConnectorError: By the tree.
    """
    groups = await database.names(_GROUP, login=login)
    ours = {group(name, one) for one in Purpose}
    found = next((one for one in groups if one in ours), None)
    if found is None:
        return False
    try:
        async with database.whole():
            await database.run(f"SET LOCAL ROLE {quoted(administrator(name))}")
            await database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = :it", it=login)
            await database.run(f"REASSIGN OWNED BY {quoted(login)} TO {quoted(found)}")
            await database.run(f"DROP OWNED BY {quoted(login)}")
            await database.run(f"DROP ROLE IF EXISTS {quoted(login)}")
    except InvalidRequest as refused:
        if refused.code not in _MEANWHILE:
            raise
    return True


async def _rights(database: Database, name: str, owner: str, groups: dict[Purpose, str]) -> list[str]:
    read, write, migrate = (quoted(groups[one]) for one in (Purpose.READ, Purpose.WRITE, Purpose.MIGRATE))
    to_come = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(owner)}, {migrate} GRANT"
    said = [
        f"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {quoted(name)} TO {migrate}",
        f"GRANT CONNECT ON DATABASE {quoted(name)} TO {read}, {write}",
        f"{to_come} USAGE ON SCHEMAS TO {read}, {write}",
        f"{to_come} SELECT ON TABLES TO {read}",
        f"{to_come} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {write}",
        f"{to_come} USAGE, SELECT ON SEQUENCES TO {write}",
    ]
    for schema in map(quoted, await database.names(_SCHEMAS)):
        every = f"IN SCHEMA {schema} TO"
        said += [
            f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {migrate}",
            f"GRANT USAGE ON SCHEMA {schema} TO {read}, {write}",
            f"GRANT SELECT ON ALL TABLES {every} {read}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES {every} {write}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES {every} {write}",
        ]
    return said


async def _give_to_group(database: Database, owner: str, to: str) -> None:
    """All that the owner owns here. The databases themselves stay its own: Neon's API says whose they are."""
    mine = "SELECT datname FROM pg_database WHERE datdba = (SELECT oid FROM pg_roles WHERE rolname = :owner)"
    databases = await database.names(mine, owner=owner)
    await database.run(f"REASSIGN OWNED BY {quoted(owner)} TO {quoted(to)}")
    for one in databases:
        await database.run(f"ALTER DATABASE {quoted(one)} OWNER TO {quoted(owner)}")
