"""The twin's roles and databases, as its API makes them: in its lists, and in the branch's cluster where it has one."""

from pydantic import BaseModel

from connectors.neon.operations import LIST_DATABASES, LIST_ROLES
from connectors.neon.twin.account import Account, Doing, Held
from connectors.neon.twin.clusters import Login, literal, quoted
from connectors.neon.twin.models import (
    ChangedDatabase,
    ChangedRole,
    RolePassword,
    ShownDatabases,
    ShownRoles,
    SqlName,
    TwinDatabase,
    TwinRole,
)
from connectors.neon.twin.operations import (
    CREATE_DATABASE,
    CREATE_ROLE,
    DELETE_DATABASE,
    DELETE_ROLE,
    RESET_PASSWORD,
    REVEAL_PASSWORD,
)
from connectors.neon.twin.passwords import new_password
from connectors.twins.handlers import Reply, handles
from connectors.twins.problems import Problem

_MOST_ROLES = 500


class _Role(BaseModel):
    name: SqlName
    no_login: bool = False


class _NewRole(BaseModel):
    role: _Role


class _Database(BaseModel):
    name: SqlName
    owner_name: SqlName


class _NewDatabase(BaseModel):
    database: _Database


class Contents(Account):
    """Handlers."""

    @handles(LIST_ROLES)
    def roles(self, project_id: str, branch_id: str) -> ShownRoles:
        """Without their passwords."""
        held = self.branch_of(self.project_of(project_id), branch_id)
        return ShownRoles(roles=[one.hidden() for one in held.roles.values()])

    @handles(CREATE_ROLE)
    async def create_role(self, project_id: str, branch_id: str, body: _NewRole) -> ChangedRole:
        """Its password is shown; all connections to the branch are cut off."""
        project = self.project_of(project_id)
        held, name = self.branch_of(project, branch_id), body.role.name
        self.require_idle(project)
        if name in held.roles:
            raise Problem(409, "role already exists", code="ROLE_ALREADY_EXISTS")
        if len(held.roles) >= _MOST_ROLES:
            raise Problem(422, "roles limit exceeded", code="ROLES_LIMIT_EXCEEDED")
        now = self.moment()
        role = TwinRole(branch_id=branch_id, name=name, password=new_password(), created_at=now, updated_at=now)
        held.roles[name] = role
        self.cut(held)
        login = Login(name, role.password or "")
        operations = await self.carry_out(project, *_configure(held), work=lambda: self.sql(held, login.created()))
        return ChangedRole(role=role, operations=operations)

    @handles(DELETE_ROLE)
    async def delete_role(self, project_id: str, branch_id: str, role_name: str) -> Reply[ChangedRole | None]:
        """204 where it is gone already."""
        project = self.project_of(project_id)
        held = self.branch_of(project, branch_id)
        self.require_idle(project)
        if any(one.owner_name == role_name for one in held.databases.values()):
            raise Problem(422, "role owns databases")
        if (found := held.roles.pop(role_name, None)) is None:
            return Reply(content=None, status=204)
        # What a role has in a database is dropped in that database alone.
        each = "".join(
            f"\\connect {quoted(one)}\nDROP OWNED BY {quoted(role_name)};\n" for one in ("postgres", *held.databases)
        )
        dropped = f"{each}DROP ROLE {quoted(role_name)};"
        operations = await self.carry_out(project, *_configure(held), work=lambda: self.sql(held, dropped))
        return Reply(content=ChangedRole(role=found.hidden(), operations=operations))

    @handles(REVEAL_PASSWORD)
    def reveal_password(self, project_id: str, branch_id: str, role_name: str) -> RolePassword:
        """As long as the project keeps passwords."""
        project = self.project_of(project_id)
        held = self.branch_of(project, branch_id)
        if (found := held.roles.get(role_name)) is None:
            raise Problem(404, "role not found")
        if not project.project.store_passwords or found.password is None:
            raise Problem(412, "password is not available: the project does not store passwords")
        return RolePassword(password=found.password)

    @handles(RESET_PASSWORD)
    async def reset_password(self, project_id: str, branch_id: str, role_name: str) -> ChangedRole:
        """A new one, which is shown; all connections to the branch are cut off."""
        project = self.project_of(project_id)
        held = self.branch_of(project, branch_id)
        self.require_idle(project)
        if (found := held.roles.get(role_name)) is None:
            raise Problem(404, "role not found")
        found.password, found.updated_at = new_password(), self.moment()
        changed = f"ALTER ROLE {quoted(role_name)} PASSWORD {literal(found.password)};"
        self.cut(held)
        operations = await self.carry_out(project, *_configure(held), work=lambda: self.sql(held, changed))
        return ChangedRole(role=found, operations=operations)

    @handles(LIST_DATABASES)
    def databases(self, project_id: str, branch_id: str) -> ShownDatabases:
        """All of a branch."""
        held = self.branch_of(self.project_of(project_id), branch_id)
        return ShownDatabases(databases=list(held.databases.values()))

    @handles(CREATE_DATABASE)
    async def create_database(self, project_id: str, branch_id: str, body: _NewDatabase) -> ChangedDatabase:
        """Empty, and its owner's."""
        project, wanted = self.project_of(project_id), body.database
        held = self.branch_of(project, branch_id)
        self.require_idle(project)
        if wanted.owner_name not in held.roles:
            raise Problem(404, "role not found")
        if wanted.name in held.databases:
            raise Problem(409, "database already exists", code="DATABASE_ALREADY_EXISTS")
        now = self.moment()
        made = TwinDatabase(
            id=1 + max((one.id for one in held.databases.values()), default=0),
            branch_id=branch_id,
            name=wanted.name,
            owner_name=wanted.owner_name,
            created_at=now,
            updated_at=now,
        )
        held.databases[made.name] = made
        created = f"CREATE DATABASE {quoted(made.name)} OWNER {quoted(made.owner_name)};"
        operations = await self.carry_out(project, *_configure(held), work=lambda: self.sql(held, created))
        return ChangedDatabase(database=made, operations=operations)

    @handles(DELETE_DATABASE)
    async def delete_database(
        self, project_id: str, branch_id: str, database_name: str
    ) -> Reply[ChangedDatabase | None]:
        """204 where it is gone already."""
        project = self.project_of(project_id)
        held = self.branch_of(project, branch_id)
        self.require_idle(project)
        if (found := held.databases.pop(database_name, None)) is None:
            return Reply(content=None, status=204)
        dropped = f"DROP DATABASE {quoted(database_name)} WITH (FORCE);"
        operations = await self.carry_out(project, *_configure(held), work=lambda: self.sql(held, dropped))
        return Reply(content=ChangedDatabase(database=found, operations=operations))


def _configure(held: Held) -> list[Doing]:
    """What goes on where something within a branch changes: its computes are told."""
    return [Doing("apply_config", held.branch.id, one) for one in held.endpoints] or [
        Doing("apply_config", held.branch.id)
    ]
