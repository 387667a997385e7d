"""What Neon is told and what it answers, as far as it is read. Fields that are not named here are ignored.

Answers to a create hold passwords and connection strings; nothing here reads them but `Uri` and `Password`.
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

    cursor: str = ""
    next: str = ""


class Project(_Read):
    """One project: a PostgreSQL of one release, with its branches."""

    id: str
    name: str
    region_id: str = ""
    pg_version: int = 0


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
    failures_count: int = 0

    @property
    def done(self) -> bool:
        """Whether it ended well."""
        return self.status in DONE

    @property
    def broken(self) -> bool:
        """Whether it ended otherwise."""
        return self.status in BROKEN


class Role(_Read):
    """A role of a branch's PostgreSQL."""

    name: str
    protected: bool = False


class Database(_Read):
    """A database of a branch."""

    name: str
    owner_name: str


class Snapshot(_Read):
    """What a branch was at one moment."""

    id: str
    name: str
    source_branch_id: str | None = None
    created_at: datetime
    expires_at: datetime | None = None


class Annotation(_Read):
    """What was written onto a branch."""

    value: Mapping[str, str] = Field(default_factory=dict[str, str])


class Projects(_Read):
    """A page of projects."""

    projects: tuple[Project, ...]
    pagination: Cursor = Cursor()


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


class ProjectMade(Operations):
    """A new project, with its first branch."""

    project: Project
    branch: Branch


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


class OneEndpoint(_Read):
    """A compute by itself."""

    endpoint: Endpoint


class EndpointChanged(Operations):
    """A compute after a change, and what goes on."""

    endpoint: Endpoint


class OneOperation(_Read):
    """An operation by itself."""

    operation: NeonOperation


class Roles(_Read):
    """Roles."""

    roles: tuple[Role, ...]


class RoleChanged(Operations):
    """A role after a change, and what goes on. Its new password is not read here."""

    role: Role


class Databases(_Read):
    """Databases."""

    databases: tuple[Database, ...]


class DatabaseChanged(Operations):
    """A database after a change, and what goes on."""

    database: Database


class Uri(_Read):
    """A connection string, with the password in it."""

    uri: SecretStr


class Password(_Read):
    """A role's password."""

    password: SecretStr


class Difference(_Read):
    """What two branches' schemas differ in, as a unified diff; empty where they are the same."""

    diff: str = ""


class Snapshots(_Read):
    """Snapshots."""

    snapshots: tuple[Snapshot, ...]


class SnapshotMade(Operations):
    """A new snapshot."""

    snapshot: Snapshot


class NewProject(_Sent):
    """A project that is to be."""

    class Wanted(_Sent):
        """Its own part."""

        name: str
        region_id: str | None = None
        pg_version: int | None = None

    project: Wanted


class NewCompute(_Sent):
    """The compute of a new branch."""

    type: Literal["read_write", "read_only"] = "read_write"
    autoscaling_limit_min_cu: float | None = None
    autoscaling_limit_max_cu: float | None = None
    suspend_timeout_seconds: int | None = None


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

        name: str | None = None
        protected: bool | None = None
        expires_at: datetime | None = None

    branch: Wanted


class BranchRestore(_Sent):
    """What a branch is to become."""

    source_branch_id: str
    source_timestamp: datetime | None = None
    source_lsn: str | None = None
    preserve_under_name: str | None = None


class NewEndpoint(_Sent):
    """A compute that is to be."""

    class Wanted(NewCompute):
        """Its own part."""

        branch_id: str

    endpoint: Wanted


class EndpointChange(_Sent):
    """What is to change of a compute."""

    class Wanted(_Sent):
        """Its own part."""

        autoscaling_limit_min_cu: float | None = None
        autoscaling_limit_max_cu: float | None = None
        suspend_timeout_seconds: int | None = None

    endpoint: Wanted


class NewRole(_Sent):
    """A role that is to be."""

    class Wanted(_Sent):
        """Its own part."""

        name: str

    role: Wanted


class NewDatabase(_Sent):
    """A database that is to be."""

    class Wanted(_Sent):
        """Its own part."""

        name: str
        owner_name: str

    database: Wanted


class SnapshotRestore(_Sent):
    """How a snapshot becomes a branch."""

    name: str | None = None
    target_branch_id: str | None = None
    finalize_restore: bool | None = None
