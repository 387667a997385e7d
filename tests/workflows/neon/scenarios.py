"""The ways that goals on Neon can go."""

from datetime import UTC, datetime

from activities.guard.error_types import ErrorType, application_error
from activities.leases.contracts import LeaseStanding
from activities.neon.contracts import (
    CHECK_BRANCH,
    CREATE_BRANCH,
    END_BRANCH,
    KEEP_CONNECTION,
    LOOK_AT_BRANCH,
    BranchEnded,
    ConnectionKept,
    NeonBranchCreated,
)
from activities.neon.logins.contracts import (
    CHECK_LOGIN,
    END_LOGIN,
    ISSUE_LOGIN,
    OPEN_DATABASE,
    SWEEP_LOGINS,
    DatabaseOpened,
    LoginEnded,
    LoginIssued,
    LoginsSwept,
)
from activities.neon.migrations.contracts import (
    LOOK_AT_SCHEMA,
    MIGRATE_DATABASE,
    REHEARSE_MIGRATION,
    DatabaseMigrated,
    Rehearsed,
)
from tests.workflows.neon.deleting import GONE, MARKED, SEEN, Approved
from tests.workflows.neon.migrating import AFTER, BEFORE, FAILED, Migrating
from tests.workflows.played import Played
from workflows.neon.goals import CREATE_NEON_BRANCH, DELETE_NEON_BRANCH, ISSUE_NEON_LOGIN, MIGRATE_DATABASE_GOAL

END = datetime(2026, 12, 1, tzinfo=UTC)
CREATED = NeonBranchCreated(id="br-1", name="try-it", parent_id="br-0", endpoint="ep-1", expires_at=END)
KEPT = ConnectionKept(
    host="ep-1.neon.tech", port=5432, database="shop", role="shop_owner", secret="banksman/neon/connections/br-1"
)
MAIN_SEEN = SEEN.model_copy(update={"id": "br-0", "name": "main", "parent": None, "default": True})
SWEPT = LoginsSwept()
OPENED = DatabaseOpened(host="ep-0.neon.tech", port=5432, database="shop")
ISSUED = LoginIssued(
    secret="banksman/neon/logins/banksman-0123456789abcdef",
    host="ep-0.neon.tech",
    port=5432,
    database="shop",
    role="v-read-banksman-0123456789abcdef-a1b2c3d4",
    expires_at=END,
)
ENDED, NOT_THERE = LoginEnded(), LeaseStanding(there=False)
LEASED = {SWEEP_LOGINS: [SWEPT], END_BRANCH: [BranchEnded(ids=("br-1",))], CHECK_BRANCH: [NOT_THERE]}
LOOKED = {LOOK_AT_BRANCH: [MAIN_SEEN], SWEEP_LOGINS: [SWEPT], END_LOGIN: [ENDED], CHECK_LOGIN: [NOT_THERE]}
DENIED = application_error(ErrorType.POLICY_DENIED, "the project is not to be touched")
AWAY = application_error(ErrorType.UNAVAILABLE, "Neon does not answer")

SCENARIOS = (
    Played(
        goal=CREATE_NEON_BRANCH,
        name="completed",
        answers={**LEASED, CREATE_BRANCH: [CREATED], KEEP_CONNECTION: [KEPT]},
    ),
    Played(
        goal=CREATE_NEON_BRANCH,
        name="outage-waited-out",
        answers={**LEASED, CREATE_BRANCH: [AWAY, CREATED], KEEP_CONNECTION: [AWAY, KEPT]},
    ),
    Played(
        goal=CREATE_NEON_BRANCH,
        name="denied-half-way",
        answers={**LEASED, CREATE_BRANCH: [CREATED], KEEP_CONNECTION: [DENIED]},
    ),
    Played(goal=ISSUE_NEON_LOGIN, name="completed", answers={**LOOKED, OPEN_DATABASE: [OPENED], ISSUE_LOGIN: [ISSUED]}),
    Played(
        goal=ISSUE_NEON_LOGIN,
        name="outage-waited-out",
        answers={**LOOKED, OPEN_DATABASE: [AWAY, OPENED], ISSUE_LOGIN: [AWAY, ISSUED]},
    ),
    Played(
        goal=ISSUE_NEON_LOGIN,
        name="denied-half-way",
        answers={**LOOKED, OPEN_DATABASE: [OPENED], ISSUE_LOGIN: [DENIED]},
    ),
    Played(goal=ISSUE_NEON_LOGIN, name="not-there", answers={LOOK_AT_BRANCH: [GONE]}),
    Played(goal=DELETE_NEON_BRANCH, name="not-there", answers={LOOK_AT_BRANCH: [GONE]}),
    Played(goal=DELETE_NEON_BRANCH, name="denied", answers={LOOK_AT_BRANCH: [DENIED]}),
    Approved(goal=DELETE_NEON_BRANCH, name="approved", answers={}),
    Approved(goal=DELETE_NEON_BRANCH, name="made-by-a-goal", answers={}, seen=(MARKED, GONE)),
    Approved(goal=DELETE_NEON_BRANCH, name="said-and-not-done", answers={}, seen=(SEEN, SEEN)),
    Migrating(goal=MIGRATE_DATABASE_GOAL, name="migrated", answers={}),
    Migrating(
        goal=MIGRATE_DATABASE_GOAL,
        name="half-way",
        answers={MIGRATE_DATABASE: [DatabaseMigrated(way="partially_applied", why="it ended with 1", ran=FAILED)]},
    ),
    Migrating(
        goal=MIGRATE_DATABASE_GOAL,
        name="nothing-done",
        answers={
            LOOK_AT_SCHEMA: [BEFORE, AFTER, BEFORE, BEFORE, BEFORE],
            MIGRATE_DATABASE: [DatabaseMigrated(way="refused", why="it ended with 1", ran=FAILED)],
        },
    ),
    Migrating(goal=MIGRATE_DATABASE_GOAL, name="nothing-to-do", answers={LOOK_AT_SCHEMA: [BEFORE]}, asks=False),
    Migrating(
        goal=MIGRATE_DATABASE_GOAL,
        name="failed-on-the-copy",
        answers={REHEARSE_MIGRATION: [Rehearsed(ran=FAILED)]},
        asks=False,
    ),
)
