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
    Databases,
    EndpointChanged,
    Endpoints,
    NewBranch,
    NewEndpoint,
    OneBranch,
    OneOperation,
    OneProject,
    Operations,
    Projects,
    Roles,
    SchemaDifference,
    Uri,
)

_PROJECT: Final = "/projects/{project_id}"
_BRANCH: Final = f"{_PROJECT}/branches/{{branch_id}}"

LIST_PROJECTS: Final = Operation("GET", "/projects", TypeAdapter(Projects))
GET_PROJECT: Final = Operation("GET", _PROJECT, TypeAdapter(OneProject))

LIST_BRANCHES: Final = Operation("GET", f"{_PROJECT}/branches", TypeAdapter(Branches))
CREATE_BRANCH: Final = Operation("POST", f"{_PROJECT}/branches", TypeAdapter(BranchMade), body=NewBranch, status=201)
GET_BRANCH: Final = Operation("GET", _BRANCH, TypeAdapter(OneBranch))
UPDATE_BRANCH: Final = Operation("PATCH", _BRANCH, TypeAdapter(BranchChanged), body=BranchChange, harmless=True)
DELETE_BRANCH: Final = Operation("DELETE", _BRANCH, NOTHING, harmless=True)

LIST_OPERATIONS: Final = Operation("GET", f"{_PROJECT}/operations", TypeAdapter(Operations))
GET_OPERATION: Final = Operation("GET", f"{_PROJECT}/operations/{{operation_id}}", TypeAdapter(OneOperation))
GET_URI: Final = Operation("GET", f"{_PROJECT}/connection_uri", TypeAdapter(Uri))

LIST_BRANCH_ENDPOINTS: Final = Operation("GET", f"{_BRANCH}/endpoints", TypeAdapter(Endpoints))
CREATE_ENDPOINT: Final = Operation(
    "POST", f"{_PROJECT}/endpoints", TypeAdapter(EndpointChanged), body=NewEndpoint, status=201
)

COMPARE_SCHEMA: Final = Operation("GET", f"{_BRANCH}/compare_schema", TypeAdapter(SchemaDifference))
LIST_ROLES: Final = Operation("GET", f"{_BRANCH}/roles", TypeAdapter(Roles))
LIST_DATABASES: Final = Operation("GET", f"{_BRANCH}/databases", TypeAdapter(Databases))
