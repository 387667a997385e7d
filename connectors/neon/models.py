"""What Neon is told and what it answers, as far as it is read. Fields that are not named here are ignored.

Answers to a create hold passwords and connection strings; nothing here reads them but `Uri`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

DONE: Final = frozenset({"finished", "skipped"})
BROKEN: Final = frozenset({"failed", "error", "cancelled"})
READY: Final = "ready"
MARK: Final = "banksman-goal"
"""The annotation of a branch that says which goal made it."""


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cursor(_Read):
    """Where the next page begins."""

    next: str = ""


class Project(_Read):
    """One project: a PostgreSQL of one release, with its branches."""

    id: str
    name: str


class ProjectsCursor(_Read):
    """Where the next page of projects begins."""

    cursor: str = ""


class Projects(_Read):
    """A page of projects; the last one that has any names a next one, too."""

    projects: tuple[Project, ...]
    pagination: ProjectsCursor | None = None


class Branch(_Read):
    """One branch."""

    id: str
    name: str
    parent_id: str | None = None
    current_state: str = Field(default="", description="`init`, `resetting`, `ready` or `archived`.")
    pending_state: str | None = None
    default: bool = False
    protected: bool = False
    logical_size: int | None = Field(default=None, description="Bytes.")
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None


class Endpoint(_Read):
    """A compute of a branch."""

    id: str
    branch_id: str
    type: Literal["read_write", "read_only"]
    host: str
    current_state: Literal["init", "active", "idle"]
    pending_state: str | None = None


class NeonOperation(_Read):
    """Something that Neon does after it has answered."""

    id: str
    action: str
    status: str
    branch_id: str | None = None
    error: str | None = None

    @property
    def done(self) -> bool:
        """Whether it ended well."""
        return self.status in DONE

    @property
    def broken(self) -> bool:
        """Whether it ended otherwise."""
        return self.status in BROKEN


class Database(_Read):
    """A database of a branch."""

    name: str
    owner_name: str


class Annotation(_Read):
    """What was written onto a branch."""

    value: Mapping[str, str] = Field(default_factory=dict[str, str])


class Branches(_Read):
    """A page of branches."""

    branches: tuple[Branch, ...]
    annotations: Mapping[str, Annotation] = Field(default_factory=dict[str, Annotation])
    pagination: Cursor = Cursor()


class Operations(_Read):
    """A page of operations, the newest first; or those that one change began."""

    operations: tuple[NeonOperation, ...] = ()
    pagination: Cursor = Cursor()


class OneProject(_Read):
    """A project by itself."""

    project: Project


class OneBranch(_Read):
    """A branch by itself."""

    branch: Branch


class BranchChanged(Operations):
    """A branch after a change, and what goes on."""

    branch: Branch


class BranchMade(BranchChanged):
    """A new branch."""

    endpoints: tuple[Endpoint, ...] = ()


class Endpoints(_Read):
    """Computes."""

    endpoints: tuple[Endpoint, ...]


class EndpointChanged(Operations):
    """A compute after a change, and what goes on."""

    endpoint: Endpoint


class OneOperation(_Read):
    """An operation by itself."""

    operation: NeonOperation


class Role(_Read):
    """A role of a branch, without its password."""

    name: str


class Roles(_Read):
    """Roles."""

    roles: tuple[Role, ...]


class Databases(_Read):
    """Databases."""

    databases: tuple[Database, ...]


class Uri(_Read):
    """A connection string, with the password in it."""

    uri: SecretStr


class SchemaDifference(_Read):
    """What makes one schema the other, as a difference of two dumps."""

    diff: str = ""


class NewCompute(_Sent):
    """The compute of a new branch."""

    type: Literal["read_write", "read_only"] = "read_write"
    autoscaling_limit_max_cu: float | None = None


class NewBranch(_Sent):
    """A branch that is to be; one without an endpoint cannot be reached."""

    class Wanted(_Sent):
        """Its own part."""

        name: str
        parent_id: str | None = None
        expires_at: datetime | None = None

    branch: Wanted
    endpoints: tuple[NewCompute, ...] = ()
    annotation_value: Mapping[str, str] = Field(default_factory=dict[str, str])


class BranchChange(_Sent):
    """What is to change of a branch."""

    class Wanted(_Sent):
        """Its own part."""

        expires_at: datetime | None = None

    branch: Wanted


class NewEndpoint(_Sent):
    """A compute that is to be."""

    class Wanted(NewCompute):
        """Its own part."""

        branch_id: str

    endpoint: Wanted
