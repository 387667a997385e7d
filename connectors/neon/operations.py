"""What Neon's API is asked, as its own description names it.

A deletion answers 204 without a body where there is nothing left to delete, so its answer is not read.
"""

from typing import Final

from pydantic import TypeAdapter

from connectors.http import NOTHING, Operation
from connectors.neon.models import (
    BranchChange,
    BranchChanged,
    Branches,
    BranchMade,
    BranchRestore,
    DatabaseChanged,
    Databases,
    Difference,
    EndpointChange,
    EndpointChanged,
    Endpoints,
    NewBranch,
    NewDatabase,
    NewEndpoint,
    NewProject,
    NewRole,
    OneBranch,
    OneEndpoint,
    OneOperation,
    OneProject,
    Operations,
    Password,
    ProjectMade,
    Projects,
    RoleChanged,
    Roles,
    SnapshotMade,
    SnapshotRestore,
    Snapshots,
    Uri,
)

_PROJECT: Final = "/projects/{project_id}"
_BRANCH: Final = f"{_PROJECT}/branches/{{branch_id}}"
_ENDPOINT: Final = f"{_PROJECT}/endpoints/{{endpoint_id}}"
_ROLE: Final = f"{_BRANCH}/roles/{{role_name}}"
_SNAPSHOT: Final = f"{_PROJECT}/snapshots/{{snapshot_id}}"

LIST_PROJECTS: Final = Operation("GET", "/projects", TypeAdapter(Projects))
CREATE_PROJECT: Final = Operation("POST", "/projects", TypeAdapter(ProjectMade), body=NewProject, status=201)
GET_PROJECT: Final = Operation("GET", _PROJECT, TypeAdapter(OneProject))
DELETE_PROJECT: Final = Operation("DELETE", _PROJECT, TypeAdapter(OneProject))

LIST_BRANCHES: Final = Operation("GET", f"{_PROJECT}/branches", TypeAdapter(Branches))
CREATE_BRANCH: Final = Operation("POST", f"{_PROJECT}/branches", TypeAdapter(BranchMade), body=NewBranch, status=201)
GET_BRANCH: Final = Operation("GET", _BRANCH, TypeAdapter(OneBranch))
UPDATE_BRANCH: Final = Operation("PATCH", _BRANCH, TypeAdapter(BranchChanged), body=BranchChange, harmless=True)
DELETE_BRANCH: Final = Operation("DELETE", _BRANCH, NOTHING, harmless=True)
RECOVER_BRANCH: Final = Operation("POST", f"{_BRANCH}/recover", TypeAdapter(OneBranch))
RESTORE_BRANCH: Final = Operation("POST", f"{_BRANCH}/restore", TypeAdapter(BranchChanged), body=BranchRestore)
COMPARE_SCHEMA: Final = Operation("GET", f"{_BRANCH}/compare_schema", TypeAdapter(Difference))

LIST_OPERATIONS: Final = Operation("GET", f"{_PROJECT}/operations", TypeAdapter(Operations))
GET_OPERATION: Final = Operation("GET", f"{_PROJECT}/operations/{{operation_id}}", TypeAdapter(OneOperation))
GET_URI: Final = Operation("GET", f"{_PROJECT}/connection_uri", TypeAdapter(Uri))

LIST_ENDPOINTS: Final = Operation("GET", f"{_PROJECT}/endpoints", TypeAdapter(Endpoints))
LIST_BRANCH_ENDPOINTS: Final = Operation("GET", f"{_BRANCH}/endpoints", TypeAdapter(Endpoints))
CREATE_ENDPOINT: Final = Operation(
    "POST", f"{_PROJECT}/endpoints", TypeAdapter(EndpointChanged), body=NewEndpoint, status=201
)
GET_ENDPOINT: Final = Operation("GET", _ENDPOINT, TypeAdapter(OneEndpoint))
UPDATE_ENDPOINT: Final = Operation("PATCH", _ENDPOINT, TypeAdapter(EndpointChanged), body=EndpointChange, harmless=True)
DELETE_ENDPOINT: Final = Operation("DELETE", _ENDPOINT, NOTHING, harmless=True)
START_ENDPOINT: Final = Operation("POST", f"{_ENDPOINT}/start", TypeAdapter(EndpointChanged), harmless=True)
SUSPEND_ENDPOINT: Final = Operation("POST", f"{_ENDPOINT}/suspend", TypeAdapter(EndpointChanged), harmless=True)
RESTART_ENDPOINT: Final = Operation("POST", f"{_ENDPOINT}/restart", TypeAdapter(EndpointChanged))

LIST_ROLES: Final = Operation("GET", f"{_BRANCH}/roles", TypeAdapter(Roles))
CREATE_ROLE: Final = Operation("POST", f"{_BRANCH}/roles", TypeAdapter(RoleChanged), body=NewRole, status=201)
DELETE_ROLE: Final = Operation("DELETE", _ROLE, NOTHING, harmless=True)
REVEAL_PASSWORD: Final = Operation("GET", f"{_ROLE}/reveal_password", TypeAdapter(Password))
RESET_PASSWORD: Final = Operation("POST", f"{_ROLE}/reset_password", TypeAdapter(RoleChanged))

LIST_DATABASES: Final = Operation("GET", f"{_BRANCH}/databases", TypeAdapter(Databases))
CREATE_DATABASE: Final = Operation(
    "POST", f"{_BRANCH}/databases", TypeAdapter(DatabaseChanged), body=NewDatabase, status=201
)
DELETE_DATABASE: Final = Operation("DELETE", f"{_BRANCH}/databases/{{database_name}}", NOTHING, harmless=True)

CREATE_SNAPSHOT: Final = Operation("POST", f"{_BRANCH}/snapshot", TypeAdapter(SnapshotMade))
LIST_SNAPSHOTS: Final = Operation("GET", f"{_PROJECT}/snapshots", TypeAdapter(Snapshots))
DELETE_SNAPSHOT: Final = Operation("DELETE", _SNAPSHOT, TypeAdapter(Operations), status=202, harmless=True)
RESTORE_SNAPSHOT: Final = Operation("POST", f"{_SNAPSHOT}/restore", TypeAdapter(BranchMade), body=SnapshotRestore)
