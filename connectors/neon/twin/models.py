"""What the twin keeps and answers, with the fields of the provider's own description that are in every answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

HISTORY: Final = 604_800
_START: Final = datetime.fromisoformat("2026-01-01T00:00:00+00:00")

Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
SqlName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]
Size = Annotated[float, Field(ge=0.25, le=56)]
Idle = Annotated[int, Field(ge=-1, le=604_800)]
EndpointType = Literal["read_write", "read_only"]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class TwinProject(_Kept):
    """A project, as it is shown by itself and, without what it has used, in a list."""

    id: str
    name: str
    org_id: str = "org-quiet-harbour-52201"
    owner_id: str = "org-quiet-harbour-52201"
    platform_id: str = "aws"
    region_id: str = "aws-eu-central-1"
    provisioner: str = "k8s-neonvm"
    pg_version: int = 18
    proxy_host: str = "eu-central-1.aws.neon.tech"
    branch_logical_size_limit: int = 512
    branch_logical_size_limit_bytes: int = 536_870_912
    store_passwords: bool = True
    creation_source: str = "console"
    cpu_used_sec: int = 0
    history_retention_seconds: int = HISTORY
    created_at: datetime = _START
    updated_at: datetime = _START


class ShownProject(TwinProject):
    """By itself."""

    data_storage_bytes_hour: int = 0
    data_transfer_bytes: int = 0
    written_data_bytes: int = 0
    compute_time_seconds: int = 0
    active_time_seconds: int = 0
    consumption_period_start: datetime = _START
    consumption_period_end: datetime = _START


class ListedProject(TwinProject):
    """In a list."""

    active_time: int = 0


class Recovery(_Kept):
    """Until when a deleted branch can be had back."""

    deleted_at: datetime
    recoverable_until: datetime
    deletion_method: Literal["user", "ttl"]


class TwinBranch(_Kept):
    """A branch."""

    id: str
    project_id: str
    name: str
    parent_id: str | None = None
    parent_timestamp: datetime | None = None
    current_state: str = "ready"
    pending_state: str | None = None
    state_changed_at: datetime = _START
    logical_size: int = 30_785_536
    creation_source: str = "console"
    init_source: str = "parent-data"
    default: bool = False
    primary: bool = False
    protected: bool = False
    cpu_used_sec: int = 0
    compute_time_seconds: int = 0
    active_time_seconds: int = 0
    written_data_bytes: int = 0
    data_transfer_bytes: int = 0
    created_at: datetime = _START
    updated_at: datetime = _START
    expires_at: datetime | None = None
    last_reset_at: datetime | None = None
    restored_from: str | None = None
    recovery: Recovery | None = None


class TwinEndpoint(_Kept):
    """A compute."""

    host: str
    id: str
    project_id: str
    branch_id: str
    autoscaling_limit_min_cu: float = 0.25
    autoscaling_limit_max_cu: float = 0.25
    region_id: str = "aws-eu-central-1"
    type: EndpointType = "read_write"
    current_state: Literal["init", "active", "idle"] = "idle"
    pending_state: Literal["init", "active", "idle"] | None = None
    settings: dict[str, str] = Field(default_factory=dict[str, str])
    pooler_enabled: bool = False
    pooler_mode: Literal["transaction"] = "transaction"
    disabled: bool = False
    passwordless_access: bool = True
    creation_source: str = "console"
    created_at: datetime = _START
    updated_at: datetime = _START
    proxy_host: str = "eu-central-1.aws.neon.tech"
    suspend_timeout_seconds: int = 0
    provisioner: str = "k8s-neonvm"


class TwinOperation(_Kept):
    """Something that goes on after an answer."""

    id: str
    project_id: str
    branch_id: str | None = None
    endpoint_id: str | None = None
    action: str
    status: Literal["scheduling", "running", "finished", "failed"] = "running"
    error: str | None = None
    failures_count: int = 0
    created_at: datetime
    updated_at: datetime
    total_duration_ms: int = 0


class TwinRole(_Kept):
    """A role that the API made."""

    branch_id: str
    name: str
    password: str | None = Field(default=None, repr=False)
    protected: bool = False
    authentication_method: str = "password"
    created_at: datetime = _START
    updated_at: datetime = _START

    def hidden(self) -> "TwinRole":
        """Without its password, as it is shown but for once."""
        return self.model_copy(update={"password": None})


class TwinDatabase(_Kept):
    """A database that the API made."""

    id: int
    branch_id: str
    name: str
    owner_name: str
    created_at: datetime = _START
    updated_at: datetime = _START


class TwinSnapshot(_Kept):
    """What a branch was at one moment."""

    id: str
    name: str
    source_branch_id: str
    created_at: datetime
    expires_at: datetime | None = None
    manual: bool = True


class Page(_Kept):
    """Where the next page of projects or operations begins."""

    cursor: str


class NextPage(_Kept):
    """Where the next page of branches begins."""

    next: str | None = None
    sort_by: str | None = None
    sort_order: str | None = None


class AnnotatedThing(_Kept):
    """What carries an annotation."""

    type: str
    id: str


class TwinAnnotation(_Kept):
    """What was written onto a branch."""

    object: AnnotatedThing
    value: Mapping[str, str]


class Parameters(_Kept):
    """A connection string, taken apart."""

    database: str
    password: str = Field(repr=False)
    role: str
    host: str
    pooler_host: str


class Connection(_Kept):
    """A connection string."""

    connection_uri: str = Field(repr=False)
    connection_parameters: Parameters


class ShownOperations(_Kept):
    """Operations."""

    operations: list[TwinOperation] = Field(default_factory=list[TwinOperation])


class OperationsPage(ShownOperations):
    """A page of them."""

    pagination: Page | None = None


class OneOperation(_Kept):
    """An operation."""

    operation: TwinOperation


class ProjectsPage(_Kept):
    """A page of projects."""

    projects: list[ListedProject]
    applications: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    integrations: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    pagination: Page | None = None


class OneProject(_Kept):
    """A project."""

    project: ShownProject


class MadeProject(ShownOperations):
    """A new project."""

    project: ShownProject
    branch: TwinBranch
    endpoints: list[TwinEndpoint]
    roles: list[TwinRole]
    databases: list[TwinDatabase]
    connection_uris: list[Connection]


class BranchesPage(_Kept):
    """A page of branches."""

    branches: list[TwinBranch]
    annotations: dict[str, TwinAnnotation]
    pagination: NextPage


class OneBranch(_Kept):
    """A branch."""

    branch: TwinBranch
    annotation: TwinAnnotation


class ChangedBranch(ShownOperations):
    """A branch after a change."""

    branch: TwinBranch


class MadeBranch(ChangedBranch):
    """A new branch."""

    endpoints: list[TwinEndpoint]
    roles: list[TwinRole]
    databases: list[TwinDatabase]
    connection_uris: list[Connection] | None = None


class RecoveredBranch(_Kept):
    """A branch that was deleted."""

    branch: TwinBranch
    endpoints: list[TwinEndpoint]


class RestoredSnapshot(ChangedBranch):
    """A branch that was a snapshot."""

    endpoints: list[TwinEndpoint]


class ShownEndpoints(_Kept):
    """Computes."""

    endpoints: list[TwinEndpoint]


class OneEndpoint(_Kept):
    """A compute."""

    endpoint: TwinEndpoint


class ChangedEndpoint(ShownOperations):
    """A compute after a change."""

    endpoint: TwinEndpoint


class ShownRoles(_Kept):
    """Roles."""

    roles: list[TwinRole]


class ChangedRole(ShownOperations):
    """A role after a change."""

    role: TwinRole


class RolePassword(_Kept):
    """A role's password."""

    password: str = Field(repr=False)


class ShownDatabases(_Kept):
    """Databases."""

    databases: list[TwinDatabase]


class ChangedDatabase(ShownOperations):
    """A database after a change."""

    database: TwinDatabase


class ConnectionUri(_Kept):
    """A connection string by itself."""

    uri: str = Field(repr=False)


class SchemaDifference(_Kept):
    """A unified diff."""

    diff: str


class ShownSnapshots(_Kept):
    """Snapshots."""

    snapshots: list[TwinSnapshot]


class MadeSnapshot(ShownOperations):
    """A new snapshot."""

    snapshot: TwinSnapshot
