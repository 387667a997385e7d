"""The twin's projects, and the operations on them."""

from typing import Annotated, Final

from pydantic import BaseModel, Field

from connectors.neon.operations import GET_OPERATION, GET_PROJECT, LIST_OPERATIONS, LIST_PROJECTS
from connectors.neon.twin.account import Account, Doing, Held, HeldProject, named
from connectors.neon.twin.models import (
    ListedProject,
    MadeProject,
    OneOperation,
    OneProject,
    OperationsPage,
    Page,
    ProjectsPage,
    ShownProject,
    SqlName,
    Text,
    TwinBranch,
    TwinDatabase,
    TwinProject,
    TwinRole,
)
from connectors.neon.twin.operations import CREATE_PROJECT, DELETE_PROJECT
from connectors.neon.twin.passwords import new_password
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem

_RELEASES: Final = (14, 18)


class _Projects(BaseModel):
    cursor: str = ""
    limit: int = Field(default=10, ge=1, le=400)
    search: str = ""
    recoverable: bool = False


class _Operations(BaseModel):
    cursor: str = ""
    limit: int = Field(default=1000, ge=1, le=1000)


class _FirstBranch(BaseModel):
    name: Text = "main"
    role_name: SqlName = "neondb_owner"
    database_name: SqlName = "neondb"


class _Wanted(BaseModel):
    name: Text | None = None
    region_id: str = "aws-eu-central-1"
    pg_version: Annotated[int, Field(ge=_RELEASES[0], le=_RELEASES[1])] = 18
    branch: _FirstBranch = _FirstBranch()


class _NewProject(BaseModel):
    project: _Wanted


class Projects(Account):
    """Handlers."""

    @handles(LIST_PROJECTS)
    def projects(self, query: _Projects) -> ProjectsPage:
        """Those of the organisation, by their ids; the last page names a cursor, too."""
        found = [one.project for one in self.kept.values() if query.search in f"{one.project.name} {one.project.id}"]
        wanted = [] if query.recoverable else sorted(found, key=lambda one: one.id)
        page = [ListedProject(**dict(one)) for one in wanted if one.id > query.cursor][: query.limit]
        return ProjectsPage(projects=page, pagination=Page(cursor=page[-1].id) if page else None)

    @handles(CREATE_PROJECT)
    async def create_project(self, body: _NewProject) -> MadeProject:
        """With a first branch, its compute, a role and a database."""
        wanted, now = body.project, self.moment()
        name = named()
        project = TwinProject(
            id=name,
            name=wanted.name or name,
            region_id=wanted.region_id,
            pg_version=wanted.pg_version,
            created_at=now,
            updated_at=now,
        )
        kept = self.kept[project.id] = HeldProject(project)
        branch = TwinBranch(
            id=f"br-{named()}",
            project_id=project.id,
            name=wanted.branch.name,
            default=True,
            primary=True,
            current_state="init",
            pending_state="ready",
            created_at=now,
            updated_at=now,
        )
        held = kept.branches[branch.id] = Held(branch)
        role, database = wanted.branch.role_name, wanted.branch.database_name
        held.roles[role] = TwinRole(branch_id=branch.id, name=role, password=new_password())
        held.databases[database] = TwinDatabase(id=1, branch_id=branch.id, name=database, owner_name=role)
        endpoint = self.new_endpoint(held)
        operations = await self.carry_out(
            kept,
            Doing("create_timeline", branch.id),
            Doing("start_compute", branch.id, endpoint.id),
            then=lambda: self.up(held),
        )
        return MadeProject(
            project=ShownProject(**dict(project)),
            branch=branch,
            endpoints=[endpoint],
            roles=list(held.roles.values()),
            databases=list(held.databases.values()),
            connection_uris=[await self.connection(held, endpoint, database, role)],
            operations=operations,
        )

    @handles(GET_PROJECT)
    def project(self, project_id: str) -> OneProject:
        """One."""
        return OneProject(project=ShownProject(**dict(self.project_of(project_id).project)))

    @handles(DELETE_PROJECT)
    async def delete_project(self, project_id: str) -> OneProject:
        """With all that is in it."""
        kept = self.project_of(project_id)
        self.require_idle(kept)
        del self.kept[project_id]
        for held in (*kept.branches.values(), *kept.deleted.values()):
            self.forget_computes(held)
            self.behind(self.remove(held.cluster))
        return OneProject(project=ShownProject(**dict(kept.project)))

    @handles(LIST_OPERATIONS)
    def operations_of(self, project_id: str, query: _Operations) -> OperationsPage:
        """The newest first."""
        listed = self.project_of(project_id).operations
        start = next((place + 1 for place, one in enumerate(listed) if one.id == query.cursor), 0)
        page = listed[start : start + query.limit]
        return OperationsPage(operations=page, pagination=Page(cursor=page[-1].id) if page else None)

    @handles(GET_OPERATION)
    def operation(self, project_id: str, operation_id: str) -> OneOperation:
        """One."""
        found = next((one for one in self.project_of(project_id).operations if one.id == operation_id), None)
        if found is None:
            raise Problem(404, "operation not found")
        return OneOperation(operation=found)
