"""What a rehearsal copies of Neon: a project's branches with roles and databases by name. No row, schema, password.

A schema would come as a dump, and a dump may hold passwords: those of user mappings and subscriptions.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

from connectors.copies import CopiedState
from connectors.errors import InvalidRequest
from connectors.http import Session
from connectors.neon.client import NeonProject
from connectors.neon.manifest import NEON
from connectors.neon.models import Branch

_MOST_BRANCHES: Final = 100
"""Each is asked for its roles and for its databases."""


class _Copied(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CopiedDatabase(_Copied):
    """A database of a branch."""

    name: str
    owner: str


class CopiedBranch(_Copied):
    """A branch, as goals look at it.

    Attributes:
        mark: Of the goal that made it; empty where none of ours did.
    """

    id: str
    name: str
    parent_id: str | None
    current_state: str
    default: bool
    protected: bool
    logical_size: int | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    mark: str
    roles: tuple[str, ...]
    databases: tuple[CopiedDatabase, ...]


class CopiedProject(CopiedState):
    """One project; `part` is its id."""

    provider: ClassVar[str] = NEON.name

    name: str
    branches: tuple[CopiedBranch, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        ids = [one.id for one in self.branches]
        if len(set(ids)) < len(ids) or sum(one.default for one in self.branches) != 1:
            raise ValueError("has a branch twice, or not one default branch")
        for one in self.branches:
            if any(database.owner not in one.roles for database in one.databases):
                raise ValueError(f"has a database of the branch {one.id!r} whose owner is none of its roles")
        return self

    def told(self) -> str:
        """How much there is."""
        databases = sum(len(one.databases) for one in self.branches)
        return f"{NEON.name} {self.part}: {len(self.branches)} branches, {databases} databases in them"


async def copy_project(session: Session, project: str) -> CopiedProject:
    """Copy it.

    Raises:
        NotFound: There is none of that id in this account.
        InvalidRequest: It has too many branches.
        ConnectorError: By the tree.
    """
    asked = NeonProject(session, project)
    seen, branches = await asked.look(), await asked.marked_branches()
    if len(branches) > _MOST_BRANCHES:
        raise InvalidRequest(f"the project {project!r} has {len(branches)} branches, and {_MOST_BRANCHES} are copied")
    copied = [await _copied(asked, branch, mark) for branch, mark in branches]
    return CopiedProject(of=NEON.name, part=project, name=seen.name, branches=tuple(copied))


async def _copied(project: NeonProject, branch: Branch, mark: str) -> CopiedBranch:
    databases = [CopiedDatabase(name=one.name, owner=one.owner_name) for one in await project.databases(branch)]
    told = branch.model_dump(exclude={"pending_state"})
    return CopiedBranch(
        mark=mark, roles=_with_owners(await project.roles(branch), databases), databases=tuple(databases), **told
    )


def _with_owners(roles: Sequence[str], databases: Sequence[CopiedDatabase]) -> tuple[str, ...]:
    """Roles that SQL made are not in Neon's list, and may own a database all the same."""
    return tuple(dict.fromkeys([*roles, *(one.owner for one in databases)]))
