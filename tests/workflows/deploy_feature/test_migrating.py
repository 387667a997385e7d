"""A deployment that changes a schema: tried before people are asked, kept before it runs, taken back as is said."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Replayer

from activities.guard.error_types import ErrorType, application_error
from activities.leases.views import LeaseState, LeaseView
from activities.neon.migrations.contracts import DatabaseMigrated
from connectors.pulumi.outcome import Ended, UpOutcome
from hitl.approval.decision import Verdict
from tests.workflows.approval.approving import eventually
from tests.workflows.deploy_feature.database import FAILED, LINE, NEW, OLD, OTHER, PROJECT, Branch
from tests.workflows.deploy_feature.deploying import (
    BEFORE,
    DOWN,
    GOES_DOWN,
    MIGRATES,
    NEEDS,
    Deploying,
    Goal,
    World,
    marks,
)
from workflows.implementations import WORKFLOWS
from workflows.plugin import banksman_plugin

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


@pytest.fixture
def world() -> World:
    found = World()
    found.manifest = MIGRATES
    return found


@pytest.fixture
def house(client: Client, tmp_path: Path, world: World) -> Deploying:
    return Deploying(client, tmp_path, world)


async def gone(world: World, *kept: str) -> None:
    """Nothing is left of copies and logins but these branches."""

    async def so() -> bool:
        return not world.database.logins and world.database.left == sorted(kept)

    await eventually(so)


async def test_a_schema_is_tried_approved_with_the_rest_kept_and_changed_before_the_update(
    house: Deploying, world: World
) -> None:
    async with house.at_work(forgets=True):
        goal = await house.ask_for()
        await house.approval_of(goal)
        assert (world.database.left, world.database.logins, world.database.main.schema) == ([], set(), OLD)
        plan = await house.approve(goal)
        result = await goal.result()
        [told] = result.migrations
        view = await house.client.get_workflow_handle(told.lease or "").query("view", result_type=LeaseView)
        history = await goal.fetch_history()
        await gone(world, told.way_back or "")
    assert [one.action for one in plan.steps] == [
        "neon.migrate_database",
        "pulumi.update_stack",
        "pulumi.update_stack",
        "github.merge_pull_request",
    ]
    assert (result.outcome, world.database.done, world.done) == (
        "completed",
        ["migrate.py"],
        ["staging c", "live c", "merge c"],
    )
    assert (told.database, told.environments, told.applied, told.undone) == (
        f"{PROJECT} main/orders",
        ("staging", "production"),
        "yes",
        False,
    )
    assert (told.difference, told.rehearsed_seconds, told.seconds) == ((LINE,), 1.5, 1.5)
    assert (view.state, view.lease.owner, told.way_back_until) == (LeaseState.HELD, None, view.lease.ends_at)
    names = list(marks(result.steps))
    assert names.index("rehearse staging") < names.index("approval") < names.index("migrate staging")
    assert names.index("migrate staging") < names.index("update staging")
    await Replayer(workflows=WORKFLOWS, plugins=[banksman_plugin()]).replay_workflow(history)


async def test_the_one_plan_says_what_the_migration_was_seen_to_do_and_where_the_snapshot_is(
    house: Deploying, world: World
) -> None:
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        plan = await house.plan(await house.approval_of(goal))
        await goal.terminate()
    [migration, update, _] = plan.steps
    name = str(migration.parameters["way_back"])
    assert update.action == "pulumi.update_stack"
    assert (migration.parameters["command"], migration.parameters["directory"]) == (["python3", "migrate.py"], "db")
    assert (migration.parameters["timeout_seconds"], migration.parameters["way_back_hours"]) == (300, 168)
    kept = name.replace("before", "after")
    restores = f"neonctl branches restore main {name} --project-id {PROJECT} --preserve-under-name {kept}"
    assert plan.summary[4:8] == (
        f"Schema of staging: {PROJECT} main/orders: 1 line changes, tried on a copy in 1.5 s",
        "Locks in staging: ShareLock on public.orders, seen for 0.25 s",
        LINE,
        f"Snapshot in staging: the branch {name}, made right before and kept for 168 h; `{restores}` restores it",
    )
    assert "the database shop-quiet-moon-17281 main/orders" in str(plan.summary)
    assert plan.summary[-2:] == (
        "Way back of the schema of staging: a person restores the snapshot, the manifest's rollback.schema is `never`",
        "Needs neon orders: it was there, and is left alone",
    )
    [copy] = world.database.created
    assert copy.max_cu == 1


async def test_a_migration_that_fails_on_the_copy_asks_nobody(house: Deploying, world: World) -> None:
    world.database.tries = [FAILED]
    async with house.at_work():
        result = await (await house.ask_for()).result()
        await gone(world)
    assert (result.outcome, world.done, world.database.done) == ("refused", [], [])
    assert "main/orders: the migration failed on a copy of the database: it ended with 1: ERROR: div" in str(
        result.reason
    )
    assert (marks(result.steps)["rehearse staging"], marks(result.steps)["preview staging"]) == ("failed", "done")


async def test_a_database_that_is_not_there_ends_it_with_its_key(house: Deploying, world: World) -> None:
    world.manifest = MIGRATES.replace("database: orders", "database: none")
    async with house.at_work():
        result = await (await house.ask_for()).result()
        await gone(world)
    assert (result.outcome, world.done) == ("refused", [])
    assert "needs.neon[0] cannot be had" in str(result.reason)


async def test_a_migration_that_changes_nothing_is_no_step(house: Deploying, world: World) -> None:
    world.database.main.schema = NEW
    async with house.at_work():
        result = await house.deployed()
        await gone(world)
    assert (result.outcome, world.database.done, world.done[-1]) == ("completed", [], "merge c")
    assert [(one.planned, one.applied) for one in result.migrations] == [("nothing to do", "no")]


async def test_what_people_reject_leaves_neither_a_change_nor_a_copy(house: Deploying, world: World) -> None:
    async with house.at_work():
        goal = await house.ask_for()
        await house.decide(await house.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="not today")
        result = await goal.result()
        await gone(world)
    assert (result.outcome, world.database.main.schema) == ("rejected", OLD)


async def test_a_schema_that_changes_while_people_decide_is_tried_and_asked_about_anew(
    house: Deploying, world: World
) -> None:
    world.database.effects["migrate.py"] = {OLD: NEW, OTHER: NEW}
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        world.database.main.schema = OTHER
        await house.approve(goal)
        plan = await house.approve(goal, after=1)
        result = await goal.result()
    assert plan.summary[0].startswith("Asked again: the schema of 'orders' is no longer the one")
    assert plan.steps[0].parameters["schema_before"] == OTHER
    assert (result.outcome, world.database.done, len(world.database.rehearsed)) == ("completed", ["migrate.py"], 2)
    assert len(world.commands) == 1


async def test_a_stack_that_is_changed_by_hand_while_people_decide_is_found_before_the_schema_is_migrated(
    house: Deploying, world: World
) -> None:
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approval_of(goal)
        world.drifted["staging"] = ("service web: share 25 → 77",)
        await house.approve(goal)
        await house.approval_of(goal, after=1)
        assert world.database.done == []
        await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, world.database.done) == ("completed", ["migrate.py"])
    assert world.done == ["staging c", "merge c"]


async def test_a_branch_that_is_called_otherwise_by_then_is_planned_anew(house: Deploying, world: World) -> None:
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        world.database.main.name = "primary"
        await house.approve(goal)
        plan = await house.approve(goal, after=1)
        result = await goal.result()
    assert plan.summary[0].startswith(
        "Asked again: the branch 'main' of 'shop-quiet-moon-17281' is not the one any more"
    )
    assert plan.steps[0].parameters["resource"] == "primary/orders"
    assert (result.outcome, world.database.done) == ("completed", ["migrate.py"])


def _elsewhere(branch: Branch) -> None:
    branch.schema = OTHER


def _too_short(branch: Branch) -> None:
    branch.expires_at = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("spoils", [_elsewhere, _too_short])
async def test_without_a_snapshot_that_can_be_gone_back_to_nothing_is_changed(
    house: Deploying, world: World, spoils: Callable[[Branch], None]
) -> None:
    world.database.spoils = spoils
    async with house.at_work():
        result = await house.deployed()
        await gone(world)
    assert (result.outcome, world.database.done, world.done) == ("denied", [], [])
    assert "orders is not migrated, for it cannot be kept as it is now" in str(result.reason)
    assert result.migrations[0].way_back is None


async def test_a_migration_that_did_nothing_changes_nothing_and_leaves_no_snapshot(
    house: Deploying, world: World
) -> None:
    world.database.ends = [DatabaseMigrated(way="refused", why="it ended with 1")]
    async with house.at_work():
        result = await house.deployed()
        await gone(world)
    assert (result.outcome, world.done, result.commands_left) == ("refused", [], ())
    assert "Nothing was changed" in str(result.reason)


@pytest.mark.parametrize("way", ["partially_applied", "unknown"])
async def test_a_migration_that_is_not_carried_out_whole_is_left_to_a_person_with_its_snapshot(
    house: Deploying, world: World, way: str
) -> None:
    world.manifest = GOES_DOWN
    world.database.ends = [DatabaseMigrated.model_validate({"way": way, "why": "it ended with 1"})]
    async with house.at_work():
        result = await house.deployed()
        [told] = result.migrations
        await gone(world, told.way_back or "")
    assert (result.outcome, world.done) == ("partially_applied", [])
    assert told.applied == way.removesuffix("_applied")
    assert "its migration was not carried out whole; the branch before-cccccccccccc-back" in str(result.reason)
    assert result.commands_left == (told.restore,)


async def test_a_migration_that_is_said_to_be_done_and_is_not_is_in_doubt(house: Deploying, world: World) -> None:
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        world.database.effects["migrate.py"] = {}
        await house.approve(goal)
        result = await goal.result()
    assert (result.outcome, world.done, result.migrations[0].applied) == ("partially_applied", [], "unknown")
    assert result.migrations[0].restore in result.commands_left


async def _not_healthy(house: Deploying, world: World, *, undo: bool = True) -> Goal:
    world.pages = [DOWN]
    goal = await house.ask_for(environments=["staging"])
    await house.approve(goal)
    if undo:
        await house.approve(goal, after=1)
    return goal


async def test_what_is_not_healthy_goes_back_with_its_schema_by_the_manifests_command(
    house: Deploying, world: World
) -> None:
    world.manifest = GOES_DOWN
    world.pages = [DOWN]
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        undo = await house.approve(goal, after=1)
        result = await goal.result()
    assert [one.action for one in undo.steps] == ["pulumi.update_stack", "neon.migrate_database"]
    assert "Then the schema of staging is as it was before it" in undo.summary
    assert (result.outcome, world.done, world.database.done) == (
        "undone",
        ["staging c", "staging b"],
        ["migrate.py", "down.py"],
    )
    assert (world.database.main.schema, result.migrations[0].undone, result.commands_left) == (OLD, True, ())


async def test_a_schema_that_a_person_restored_meanwhile_is_not_taken_back_once_more(
    house: Deploying, world: World
) -> None:
    world.manifest = GOES_DOWN
    world.pages, world.previews = [DOWN], {BEFORE: application_error(ErrorType.INVALID_REQUEST, "a package is gone")}
    world.database.effects["down.py"] = {NEW: OLD, OLD: OTHER}
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        status = await house.until(goal, "parked")
        assert "neonctl branches restore" in str(status.waiting_for)
        world.database.main.schema, world.previews = OLD, {}
        told = {"person": "carol", "reason": "restored", "step": "preview undo staging"}
        await goal.execute_update("retry", told)
        undo = await house.approve(goal, after=1)
        result = await goal.result()
    assert [one.action for one in undo.steps] == ["pulumi.update_stack"]
    assert (result.outcome, world.database.done, world.database.main.schema) == ("undone", ["migrate.py"], OLD)


async def test_with_never_the_schema_stays_and_its_snapshot_and_the_command_are_said(
    house: Deploying, world: World
) -> None:
    async with house.at_work():
        result = await (await _not_healthy(house, world)).result()
    [told] = result.migrations
    assert (result.outcome, world.done, world.database.main.schema) == (
        "partially_applied",
        ["staging c", "staging b"],
        NEW,
    )
    assert "the manifest's rollback.schema is `never`; the branch before-" in str(result.reason)
    assert result.commands_left == (told.restore,)


async def test_a_schema_is_not_taken_from_under_a_program_that_stays(house: Deploying, world: World) -> None:
    world.manifest = GOES_DOWN.replace("infrastructure: previous, ", "")
    async with house.at_work():
        result = await (await _not_healthy(house, world, undo=False)).result()
    assert (result.outcome, world.database.done, world.database.main.schema) == (
        "partially_applied",
        ["migrate.py"],
        NEW,
    )
    assert "the schema of staging: staging, which needs it, stays" in str(result.reason)


@pytest.mark.parametrize(
    ("effect", "why"),
    [({}, "`rollback.down` changes nothing"), ({NEW: OTHER}, "is another than before after `rollback.down`")],
    ids=["nothing", "another"],
)
async def test_a_command_that_does_not_bring_the_schema_back_is_no_way_back(
    house: Deploying, world: World, effect: dict[str, str], why: str
) -> None:
    world.manifest = GOES_DOWN
    world.database.effects["down.py"] = effect
    async with house.at_work():
        result = await (await _not_healthy(house, world)).result()
    assert (result.outcome, world.done) == ("partially_applied", ["staging c", "staging b"])
    assert why in str(result.reason)
    assert result.commands_left == (result.migrations[0].restore,)


async def test_an_update_that_is_refused_after_the_migration_has_the_schema_taken_back(
    house: Deploying, world: World
) -> None:
    world.manifest = GOES_DOWN
    world.updates = [UpOutcome(ended=Ended.REFUSED, errors=("it is in use",))]
    async with house.at_work():
        goal = await house.ask_for()
        await house.approve(goal)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, world.done, world.database.main.schema) == ("undone", [], OLD)
    assert "it is in use" in str(result.reason)


async def test_a_service_whose_environments_have_databases_of_their_own_migrates_each_before_its_update(
    house: Deploying, world: World
) -> None:
    world.database.branches["br-live"] = Branch(id="br-live", name="live", schema=OLD)
    world.manifest = MIGRATES.replace(
        NEEDS,
        "needs:\n  neon:\n"
        f"    - {{name: orders, project: {PROJECT}, database: orders, environments: [staging]}}\n"
        f"    - {{name: orders, project: {PROJECT}, database: orders, branch: live, environments: [production]}}\n",
    )
    async with house.at_work():
        goal = await house.ask_for()
        plan = await house.approve(goal)
        result = await goal.result()
    assert [one.action.split(".")[1] for one in plan.steps] == [
        "migrate_database",
        "update_stack",
        "migrate_database",
        "update_stack",
        "merge_pull_request",
    ]
    assert (result.outcome, world.database.branches["br-live"].schema, world.database.main.schema) == (
        "completed",
        NEW,
        NEW,
    )
    assert [one.environments for one in result.migrations] == [("staging",), ("production",)]


async def test_somebody_may_not_let_the_migration_run_and_then_nothing_is_changed(
    house: Deploying, world: World
) -> None:
    world.manifest = f"{MIGRATES}policy: {{actions: [{{deny: neon.migrate_database, because: frozen}}]}}\n"
    async with house.at_work():
        result = await (await house.ask_for()).result()
        await gone(world)
    assert (result.outcome, world.database.done, world.done) == ("denied", [], [])


async def test_what_neon_refuses_right_before_is_no_snapshot(house: Deploying, world: World) -> None:
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)

        def refuses(branch: Branch) -> None:
            del world.database.branches[branch.id]
            raise application_error(ErrorType.INVALID_REQUEST, "the project has no branches left")

        world.database.spoils = refuses
        await house.approve(goal)
        result = await goal.result()
        await gone(world)
    assert (result.outcome, world.database.done) == ("denied", [])
    assert "the project has no branches left" in str(result.reason)
