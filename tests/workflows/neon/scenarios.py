"""The ways that goals on Neon can go."""

from datetime import UTC, datetime

from activities.guard.error_types import ErrorType, application_error
from activities.neon.contracts import (
    CREATE_BRANCH,
    KEEP_CONNECTION,
    LOOK_AT_BRANCH,
    ConnectionKept,
    NeonBranchCreated,
)
from tests.workflows.neon.deleting import GONE, SEEN, Approved
from tests.workflows.played import Played
from workflows.neon.goals import CREATE_NEON_BRANCH, DELETE_NEON_BRANCH

END = datetime(2026, 12, 1, tzinfo=UTC)
CREATED = NeonBranchCreated(id="br-1", name="try-it", parent_id="br-0", endpoint="ep-1", expires_at=END)
KEPT = ConnectionKept(
    host="ep-1.neon.tech", port=5432, database="shop", role="shop_owner", secret="banksman/neon/connections/br-1"
)
DENIED = application_error(ErrorType.POLICY_DENIED, "the project is not to be touched")
AWAY = application_error(ErrorType.UNAVAILABLE, "Neon does not answer")

SCENARIOS = (
    Played(goal=CREATE_NEON_BRANCH, name="completed", answers={CREATE_BRANCH: [CREATED], KEEP_CONNECTION: [KEPT]}),
    Played(
        goal=CREATE_NEON_BRANCH,
        name="outage-waited-out",
        answers={CREATE_BRANCH: [AWAY, CREATED], KEEP_CONNECTION: [AWAY, KEPT]},
    ),
    Played(
        goal=CREATE_NEON_BRANCH, name="denied-half-way", answers={CREATE_BRANCH: [CREATED], KEEP_CONNECTION: [DENIED]}
    ),
    Played(goal=DELETE_NEON_BRANCH, name="not-there", answers={LOOK_AT_BRANCH: [GONE]}),
    Played(goal=DELETE_NEON_BRANCH, name="denied", answers={LOOK_AT_BRANCH: [DENIED]}),
    Approved(goal=DELETE_NEON_BRANCH, name="approved", answers={}),
    Approved(goal=DELETE_NEON_BRANCH, name="said-and-not-done", answers={}, seen=(SEEN, SEEN)),
)
