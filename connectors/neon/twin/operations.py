"""What the twin answers beyond what our client asks: what people do in Neon's console, and goals may come to do.

Nobody here reads these answers, so only the provider's description says what they are.
"""

from typing import Final

from connectors.http import NOTHING, Operation

_PROJECT: Final = "/projects/{project_id}"
_BRANCH: Final = f"{_PROJECT}/branches/{{branch_id}}"
_ENDPOINT: Final = f"{_PROJECT}/endpoints/{{endpoint_id}}"
_ROLE: Final = f"{_BRANCH}/roles/{{role_name}}"
_SNAPSHOT: Final = f"{_PROJECT}/snapshots/{{snapshot_id}}"

CREATE_PROJECT: Final = Operation("POST", "/projects", NOTHING, status=201)
DELETE_PROJECT: Final = Operation("DELETE", _PROJECT, NOTHING)
RECOVER_BRANCH: Final = Operation("POST", f"{_BRANCH}/recover", NOTHING)
RESTORE_BRANCH: Final = Operation("POST", f"{_BRANCH}/restore", NOTHING)
LIST_ENDPOINTS: Final = Operation("GET", f"{_PROJECT}/endpoints", NOTHING)
GET_ENDPOINT: Final = Operation("GET", _ENDPOINT, NOTHING)
UPDATE_ENDPOINT: Final = Operation("PATCH", _ENDPOINT, NOTHING)
DELETE_ENDPOINT: Final = Operation("DELETE", _ENDPOINT, NOTHING)
START_ENDPOINT: Final = Operation("POST", f"{_ENDPOINT}/start", NOTHING)
SUSPEND_ENDPOINT: Final = Operation("POST", f"{_ENDPOINT}/suspend", NOTHING)
RESTART_ENDPOINT: Final = Operation("POST", f"{_ENDPOINT}/restart", NOTHING)
CREATE_ROLE: Final = Operation("POST", f"{_BRANCH}/roles", NOTHING, status=201)
DELETE_ROLE: Final = Operation("DELETE", _ROLE, NOTHING)
REVEAL_PASSWORD: Final = Operation("GET", f"{_ROLE}/reveal_password", NOTHING)
RESET_PASSWORD: Final = Operation("POST", f"{_ROLE}/reset_password", NOTHING)
CREATE_DATABASE: Final = Operation("POST", f"{_BRANCH}/databases", NOTHING, status=201)
DELETE_DATABASE: Final = Operation("DELETE", f"{_BRANCH}/databases/{{database_name}}", NOTHING)
CREATE_SNAPSHOT: Final = Operation("POST", f"{_BRANCH}/snapshot", NOTHING)
LIST_SNAPSHOTS: Final = Operation("GET", f"{_PROJECT}/snapshots", NOTHING)
DELETE_SNAPSHOT: Final = Operation("DELETE", _SNAPSHOT, NOTHING, status=202)
RESTORE_SNAPSHOT: Final = Operation("POST", f"{_SNAPSHOT}/restore", NOTHING)
