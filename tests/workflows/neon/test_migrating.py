"""The goal `MigrateDatabase`: what is tried before people are asked, what their consent covers, and how it ends."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.leases.views import LeaseState, LeaseView
from activities.neon.contracts import (
    CREATE_BRANCH,
    END_BRANCH,
    LOOK_AT_BRANCH,
    CreateNeonBranchRequest,
    NeonBranchSeen,
)
from activities.neon.logins.contracts import END_LOGIN, OPEN_DATABASE
from activities.neon.migrations.contracts import (
    LOOK_AT_SCHEMA,
    MIGRATE_DATABASE,
    REHEARSE_MIGRATION,
    DatabaseMigrated,
    MigrateDatabaseParameters,
    Rehearsed,
    SchemaSeen,
)
from activities.sandbox.contracts import Source
from hitl.approval.decision import Verdict
from hitl.approval.plan import Plan, Risk, read_plan
from tests.workflows.approval.approving import House, eventually
from tests.workflows.neon.migrating import (
    AFTER,
    BEFORE,
    COMMIT,
    COMPARED,
    FAILED,
    MIGRATED,
    OTHER,
    RAN,
    REHEARSED,
    USUAL,
    Run,
    Scripted,
    approve,
    at_work,
    start,
    way_back_seen,
)
from workflows.contracts import GoalStatus, Resume
from workflows.neon.goals import MIGRATE_DATABASE_GOAL, MigrateDatabaseInput, MigrateDatabaseResult
from workflows.neon.migration_plan import Rehearsal
from workflows.neon.migration_plan import plan_of as plan_of_migration

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path, action=MIGRATE_DATABASE.name)


def scripted(**changed: Any) -> Scripted:
    steps = {"looks": LOOK_AT_SCHEMA, "migrates": MIGRATE_DATABASE, "tries": REHEARSE_MIGRATION}
    return Scripted({**USUAL, **{steps[name]: said for name, said in changed.items()}})


async def to_the_end(house: House, steps: Scripted, goal_id: str) -> MigrateDatabaseResult:
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await approve(house, goal)
        return await goal.result()


async def test_it_is_tried_on_a_copy_that_is_gone_before_anybody_is_asked(house: House, goal_id: str) -> None:
    steps = scripted()
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        approval = await house.approval_of(goal)
        assert (steps.count(END_LOGIN), steps.count(END_BRANCH)) == (1, 1)
        assert steps.count(CREATE_BRANCH) == 1
        assert {getattr(one, "branch", "") for one in steps.requests(OPEN_DATABASE)} == {"br-1"}
        plan = await plan_of(house, approval)
        await approve(house, goal)
        told = await goal.result()
    assert plan.summary[:3] == (
        f"Migrate shop with acme/shop-database at {COMMIT[:12]}",
        "Tried on a copy: it took 1.5 s; it is stopped after 600 s",
        "Locks: AccessExclusiveLock on public.orders, seen for 1.25 s",
    )
    assert plan.summary[3].startswith("Way back: the branch before-cccccccccccc-back-")
    assert plan.summary[4].startswith("To go back: `neonctl branches restore main before-cccccccccccc-back-")
    assert plan.summary[5] == "+    total_cents bigint DEFAULT 0 NOT NULL"
    assert plan.risk is Risk.HIGH  # nobody reads the table for more than a second
    wanted = plan.parameters_as(MigrateDatabaseParameters)
    assert (wanted.commit, wanted.schema_before, wanted.schema_after) == (COMMIT, BEFORE.digest, AFTER.digest)
    assert plan.policy_context().fields() == {
        "repository_owner": "acme",
        "repository_name": "shop-database",
        "account": "shop-quiet-moon-17281",
        "resource": "main/shop",
    }
    assert (told.outcome, told.commit, told.seconds, told.rehearsed_seconds) == ("completed", COMMIT, 1.5, 1.5)
    assert told.locks == ("AccessExclusiveLock on public.orders, seen for 1.25 s",)


async def test_the_way_back_is_made_right_before_and_outlives_the_goal(house: House, goal_id: str) -> None:
    steps = scripted()
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await approve(house, goal)
        told = await goal.result()
        lease = await house.client.get_workflow_handle(told.lease or "").query("view", result_type=LeaseView)
        assert (lease.state, lease.lease.owner, lease.lease.handed_over) == (LeaseState.HELD, None, True)
    names = steps.names()
    made = [at for at, name in enumerate(names) if name == CREATE_BRANCH.name]
    assert names.index(REHEARSE_MIGRATION.name) < made[1] < names.index(MIGRATE_DATABASE.name)
    first, second = steps.requests(CREATE_BRANCH)
    assert isinstance(first, CreateNeonBranchRequest)
    assert isinstance(second, CreateNeonBranchRequest)
    assert (first.parent, second.parent) == ("br-0", "br-0")
    assert first.part != second.part
    assert told.way_back_until == second.expires_at
    assert (told.restore.split()[:5], told.restore.split()[-1]) == (
        ["neonctl", "branches", "restore", "main", told.way_back],
        f"after-{str(told.way_back).removeprefix('before-')}",
    )


def _seen(**changed: object) -> Any:
    """The way back as it should be, but for this."""
    return lambda steps, request: way_back_seen(steps, request).model_copy(update=changed)


@pytest.mark.parametrize(
    ("sees", "kept", "why"),
    [
        (_seen(id=None), BEFORE, "is not there"),
        (_seen(parent="other"), BEFORE, "is no copy of 'main' of this goal's"),
        (_seen(mark="banksman-0123456789abcdef"), BEFORE, "is no copy of 'main' of this goal's"),
        (_seen(expires_at=datetime(2026, 1, 1, tzinfo=UTC)), BEFORE, "ends at 2026-01-01 00:00 UTC, and was to last"),
        (way_back_seen, OTHER, "has another schema than the database"),
        (application_error(ErrorType.NOT_FOUND, "the branch is gone"), BEFORE, "the branch is gone"),
    ],
    ids=["gone", "of-another", "another-goal", "too-short", "other-schema", "nobody-can-look"],
)
async def test_without_a_way_back_that_is_seen_to_be_one_nothing_is_migrated(
    house: House, goal_id: str, sees: Any, kept: SchemaSeen, why: str
) -> None:
    main = USUAL[LOOK_AT_BRANCH][0]
    steps = Scripted({**USUAL, LOOK_AT_BRANCH: [main, sees], LOOK_AT_SCHEMA: [BEFORE, AFTER, BEFORE, kept]})
    told = await to_the_end(house, steps, goal_id)
    assert (told.outcome, told.way_back, told.lease) == ("denied", None, None)
    assert "shop is not migrated, for it cannot be kept as it is now" in (told.reason or "")
    assert why in (told.reason or "")
    assert (steps.count(MIGRATE_DATABASE), steps.count(END_BRANCH)) == (0, 2)


async def test_two_runs_of_one_goal_take_nothing_of_each_other_for_their_own(house: House, goal_id: str) -> None:
    parts: list[str] = []
    for _ in range(2):
        steps = scripted()
        await to_the_end(house, steps, goal_id)
        parts += [getattr(one, "part", "") for one in steps.requests(CREATE_BRANCH)]
    assert len(set(parts)) == 4


async def test_a_try_that_fails_asks_nobody_and_says_how(house: House, goal_id: str) -> None:
    steps = scripted(tries=[Rehearsed(ran=FAILED)])
    async with at_work(house, steps):
        told = await (await start(house.client, goal_id)).result()
    assert told.outcome == "refused"
    assert told.reason == (
        "the migration failed on a copy of the database: it ended with 1: ERROR: division by zero. Nobody was asked, "
        "and nothing was changed."
    )
    assert (steps.count(MIGRATE_DATABASE), steps.count(CREATE_BRANCH), steps.count(END_BRANCH)) == (0, 1, 1)
    assert told.way_back is None


async def test_one_that_changes_nothing_asks_nobody(house: House, goal_id: str) -> None:
    steps = scripted(looks=[BEFORE, BEFORE])
    async with at_work(house, steps):
        told = await (await start(house.client, goal_id)).result()
    assert (told.outcome, steps.count(MIGRATE_DATABASE)) == ("completed", 0)
    assert "changed neither the schema" in (told.reason or "")


async def test_rejected_it_leaves_the_database_as_it_was(house: House, goal_id: str) -> None:
    steps = scripted()
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await house.decide(await house.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="not today")
        told = await goal.result()
    assert (told.outcome, told.way_back) == ("rejected", None)
    assert (steps.count(MIGRATE_DATABASE), steps.count(CREATE_BRANCH), steps.count(END_BRANCH)) == (0, 1, 1)
    assert {getattr(one, "branch", "") for one in steps.requests(OPEN_DATABASE)} == {"br-1"}


async def test_a_schema_that_is_another_by_then_is_tried_and_asked_about_anew(house: House, goal_id: str) -> None:
    steps = scripted(looks=[BEFORE, AFTER, OTHER, OTHER, AFTER, OTHER, OTHER, AFTER])
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await approve(house, goal)
        second = await house.approval_of(goal, after=1)
        wanted = (await plan_of(house, second)).parameters_as(MigrateDatabaseParameters)
        await house.decide(second, "alice")
        await house.decide(second, "bob")
        told = await goal.result()
    assert wanted.schema_before == OTHER.digest
    assert told.outcome == "completed"
    assert (steps.count(REHEARSE_MIGRATION), steps.count(MIGRATE_DATABASE)) == (2, 1)


async def plan_of(house: House, approval: str) -> Plan:
    return read_plan(await house.client.get_workflow_handle(approval).query("plan", result_type=str))


@pytest.mark.parametrize(
    ("migrated", "looks", "kept"),
    [
        (
            DatabaseMigrated(way="partially_applied", why="it ended with 1", ran=FAILED, schema_now=OTHER.digest),
            [],
            True,
        ),
        (DatabaseMigrated(way="unknown", why="nobody could look"), [], True),
        (DatabaseMigrated(way="refused", why="it ended with 1", ran=FAILED, schema_now=BEFORE.digest), [BEFORE], False),
    ],
    ids=["partially_applied", "unknown", "refused"],
)
async def test_the_end_is_told_as_it_is_and_the_way_back_stays_where_it_is_needed(
    house: House, goal_id: str, migrated: DatabaseMigrated, looks: list[Any], kept: bool
) -> None:
    steps = scripted(migrates=[migrated], looks=[BEFORE, AFTER, BEFORE, BEFORE, *looks])
    told = await to_the_end(house, steps, goal_id)
    assert told.outcome == migrated.way
    assert migrated.why in (told.reason or "")
    assert told.next_step
    assert (told.way_back is not None) is kept


async def test_what_is_said_to_be_done_and_is_not_is_in_doubt(house: House, goal_id: str) -> None:
    steps = scripted(looks=[BEFORE, AFTER, BEFORE, BEFORE, OTHER], migrates=[MIGRATED])
    with pytest.raises(WorkflowFailureError) as raised:
        await to_the_end(house, steps, goal_id)
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == ErrorType.OUTCOME_UNKNOWN
    assert "the branch of the way back has it as it was" in raised.value.cause.message
    assert steps.count(END_BRANCH) == 1  # the copy's


async def test_where_the_sandbox_fails_it_is_tried_again_on_another_copy(house: House, goal_id: str) -> None:
    away = application_error(ErrorType.UNAVAILABLE, "the container engine is gone")
    steps = scripted(tries=[away, Rehearsed(ran=RAN)], looks=[BEFORE, BEFORE, AFTER, BEFORE, BEFORE, AFTER])
    async with at_work(house, steps):
        goal = await start(house.client, goal_id)
        await eventually(lambda: parked(goal))
        await goal.execute_update("resume", Resume(), result_type=GoalStatus)
        await approve(house, goal)
        assert (await goal.result()).outcome == "completed"
    copies = [getattr(one, "part", "") for one in steps.requests(CREATE_BRANCH)]
    assert len(set(copies)) == 3
    assert [one.startswith("try-") for one in copies] == [True, True, False]


async def parked(goal: Run) -> bool:
    return (await goal.query("status", result_type=GoalStatus)).state == "parked"


@pytest.mark.parametrize(
    "wrong",
    [{"database": "a b"}, {"command": ()}, {"directory": "../x"}, {"timeout_seconds": 0}, {"way_back_hours": 721}],
)
async def test_an_input_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MigrateDatabaseInput.model_validate({**MIGRATE_DATABASE_GOAL.example.model_dump(), **wrong})


@pytest.mark.parametrize(
    ("lines", "left_out", "last"),
    [
        (45, 0, "+44"),
        (46, 0, "and 2 lines more of the schema"),
        (40, 2, "and 2 lines more of the schema"),
        (300, 9, "and 265 lines more of the schema"),
    ],
)
async def test_a_long_difference_fills_the_plan_and_says_what_is_missing(lines: int, left_out: int, last: str) -> None:
    compared = COMPARED.model_copy(update={"lines": tuple(f"+{n}" for n in range(lines)), "left_out": left_out})
    tried = Rehearsal(before=BEFORE.digest, after=AFTER.digest, told=REHEARSED, compared=compared)
    wanted = MIGRATE_DATABASE_GOAL.example
    assert isinstance(wanted, MigrateDatabaseInput)
    source = Source(repository="acme/shop", commit=COMMIT, pack=f"sha256:{'e' * 64}")
    plan = plan_of_migration(wanted, NeonBranchSeen(id="br-0", name="main"), source, tried, way_back="before")
    assert plan.summary[-1] == last
    assert len(plan.summary) == min(50, 5 + lines + bool(left_out))
