"""What a service needs of others: had before it is planned, kept where it is deployed, and given back where not."""

import json
from datetime import timedelta

import pytest
from pydantic import JsonValue

from activities.leases.views import LeaseState, LeaseView
from hitl.approval.decision import Verdict
from hitl.policy.tightening import Tightening
from tests.workflows.approval.approving import eventually
from tests.workflows.deploy_feature.database import NEW, OLD, PROJECT
from tests.workflows.deploy_feature.deploying import DOWN, HEAD, MANIFEST, Make, World, marks
from tests.workflows.deploy_feature.sellers import DENIED
from workflows.deploy_feature.refusals import held_nowhere
from workflows.manifest.reading import read_manifest

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
BRANCH = f"    - {{name: orders, project: {PROJECT}, branch: shop, database: orders}}\n"
REDIS = """\
    - provider: upstash
      name: shop-sessions
      region: eu-west-1
      most_usd: 10
      consumers: [{name: shop-web, prefix: "session:"}]
"""
QDRANT = """\
    - name: shop-search
      provider: aws
      region: eu-central-1
      package: free2
      collections: [{alias: products, collection: products-v2}]
"""
ORDERS, ARCHIVE = "acme/shop/orders", "acme/shop/archive"
FLOWS = f"    - {{name: {ORDERS}, file: flows.yaml}}\n    - {{name: {ARCHIVE}, file: flows.yaml}}\n"
OLD_MODEL: JsonValue = {"schema": {"type": "object"}, "key": ["/id"]}
NEW_MODEL: JsonValue = {"schema": {"type": "object"}, "key": ["/no"]}
REMOVES = """banksman run RemoveRedis --input '{"provider":"upstash","database":"shop-sessions"}'"""


def needing(*, neon: str = "", redis: str = "", qdrant: str = "", estuary: str = "") -> World:
    world = World()
    every = (("neon", neon), ("redis", redis), ("qdrant", qdrant), ("estuary", estuary))
    parts = [f"  {name}:\n{one}" for name, one in every if one]
    world.manifest = f"{MANIFEST}needs:\n{''.join(parts)}"
    return world


async def gone(world: World) -> None:
    """No branch is left."""

    async def so() -> bool:
        return world.database.left == []

    await eventually(so)


async def test_a_branch_that_is_not_there_is_made_before_the_plan_and_kept_where_it_is_deployed(
    make: Make,
) -> None:
    world = needing(neon=BRANCH)
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        plan = await house.approve(goal)
        result = await goal.result()
        [told] = result.needs
        view = await house.client.get_workflow_handle(told.lease or "").query("view", result_type=LeaseView)
    assert (result.outcome, told.how, world.database.left) == ("completed", "made", ["shop"])
    assert (view.state, view.lease.owner, told.until) == (LeaseState.HELD, None, view.lease.ends_at)
    assert told.secrets == ("banksman/neon/connections/x",)
    assert plan.summary[-1].startswith("Needs neon orders: it was made, and ends ")
    assert world.database.created[0].expires_at - told.until == timedelta() if told.until else False
    names = list(marks(result.steps))
    assert names.index("need orders") < names.index("preview staging")


async def test_a_branch_that_was_made_is_given_back_where_people_reject(make: Make) -> None:
    world = needing(neon=BRANCH)
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.decide(await house.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="no")
        result = await goal.result()
        assert world.database.left == []
    assert [(one.how, one.lease) for one in result.needs] == [("given_back", None)]


async def test_a_branch_that_was_made_is_given_back_where_all_is_taken_back(make: Make) -> None:
    world = needing(neon=BRANCH)
    world.pages = [DOWN]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        assert world.database.left == ["shop"]
        await house.approve(goal, after=1)
        result = await goal.result()
        await gone(world)
    assert (result.outcome, result.needs[0].how) == ("undone", "given_back")


async def test_a_branch_that_was_made_is_left_behind_by_no_goal_that_is_cancelled(
    make: Make,
) -> None:
    world = needing(neon=BRANCH)
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        assert world.database.left == ["shop"]
        await goal.cancel()
        await gone(world)


async def test_what_is_there_is_left_alone_and_said(make: Make) -> None:
    world = needing(neon=BRANCH.replace("branch: shop", "branch: main"), redis=REDIS, qdrant=QDRANT)
    world.sellers.databases, world.sellers.cluster = {"shop-sessions"}, "cl-1"
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        plan = await house.plan(await house.approval_of(goal))
        await house.decide(await house.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="no")
        result = await goal.result()
    assert plan.summary[-3:] == (
        "Needs neon orders: it was there, and is left alone",
        "Needs redis shop-sessions: it was there, and is left alone",
        "Needs qdrant shop-search: it was there, and is left alone",
    )
    assert (world.database.created, world.sellers.made, result.commands_left) == ([], [], ())
    assert [one.how for one in result.needs] == ["there"] * 3


async def test_what_is_bought_and_has_no_lease_is_said_with_its_removal_where_it_is_not_deployed(
    make: Make,
) -> None:
    world = needing(redis=REDIS)
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.decide(await house.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="no")
        result = await goal.result()
    assert (world.sellers.made, result.needs[0].how) == (["shop-sessions"], "made")
    assert result.commands_left == (REMOVES,)


async def test_databases_and_clusters_are_had_by_their_own_goals(make: Make) -> None:
    world = needing(redis=REDIS, qdrant=QDRANT)
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
    assert (result.outcome, sorted(world.sellers.made)) == ("completed", ["shop-search", "shop-sessions"])
    assert [(one.kind, one.how) for one in result.needs] == [("redis", "made"), ("qdrant", "made")]
    assert result.commands_left == ()
    assert result.needs[0].secrets == ("banksman/upstash/logins/x",)


@pytest.mark.parametrize(
    ("change", "outcome", "why"),
    [
        ("expensive", "refused", "needs.redis[0] (shop-sessions) cannot be had: provision-redis/upstash/shop-sessions"),
        ("denied", "denied", "ended as denied: the account is not to be touched"),
        ("behind", "refused", "products stands for products-v1: `banksman run SwitchCollection --input "),
    ],
)
async def test_a_need_that_cannot_be_had_ends_it_before_anybody_is_asked(
    make: Make, change: str, outcome: str, why: str
) -> None:
    world = needing(neon=BRANCH, redis=REDIS, qdrant=QDRANT)
    match change:
        case "expensive":
            world.sellers.cents = 100_000
        case "denied":
            world.sellers.refuses = DENIED
        case _:
            world.sellers.behind = "products-v1"
    house = make(world)
    async with house.at_work():
        result = await (await house.ask_for()).result()
        await gone(world)
    assert (result.outcome, world.done) == (outcome, [])
    assert why in str(result.reason)


def flowing() -> World:
    """One of its flows is live as the base has it, the other is not there."""
    world = needing(estuary=FLOWS)
    world.sellers.flows = {ORDERS: ("0a:00:00:00:00:00:00:f0", OLD_MODEL)}
    world.files = {
        ("flows.yaml", HEAD): json.dumps({"collections": {ORDERS: NEW_MODEL, ARCHIVE: OLD_MODEL}}),
        ("flows.yaml", "main"): json.dumps({"collections": {ORDERS: OLD_MODEL}}),
    }
    return world


async def test_flows_are_published_in_their_order_before_the_update_and_kept(make: Make) -> None:
    world = flowing()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        plan = await house.approve(goal)
        result = await goal.result()
    assert plan.summary[-2:] == (
        f"Needs estuary {ORDERS}: it was there, and is published as this commit has it",
        f"Needs estuary {ARCHIVE}: it was made",
    )
    assert world.sellers.published == [(ORDERS, NEW_MODEL), (ARCHIVE, OLD_MODEL)]
    assert (result.outcome, [one.how for one in result.needs], result.commands_left) == (
        "completed",
        ["updated", "made"],
        (),
    )
    names = list(marks(result.steps))
    assert names.index(f"need {ARCHIVE}") < names.index("preview staging") < names.index("update staging")


async def test_a_flow_that_was_updated_is_as_before_where_it_is_not_deployed_and_a_new_one_has_its_removal(
    make: Make,
) -> None:
    world = flowing()
    world.pages = [DOWN]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, world.sellers.published[-1]) == ("undone", (ORDERS, OLD_MODEL))
    assert [one.how for one in result.needs] == ["given_back", "made"]
    assert result.commands_left == (f"""banksman run PublishFlow --input '{{"delete":["{ARCHIVE}"]}}'""",)


async def test_a_flow_that_is_live_just_so_is_left_alone(make: Make) -> None:
    world = flowing()
    world.sellers.flows = dict.fromkeys((ORDERS, ARCHIVE), ("0a:00:00:00:00:00:00:f0", NEW_MODEL))
    world.files["flows.yaml", HEAD] = json.dumps({"collections": {ORDERS: NEW_MODEL, ARCHIVE: NEW_MODEL}})
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
    assert (result.outcome, world.sellers.published) == ("completed", [])
    assert [one.how for one in result.needs] == ["there", "there"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the repository has no flows.yaml"),
        ("{", "flows.yaml is no YAML that can be used"),
        ("collections: {}", f"flows.yaml does not specify {ORDERS}"),
        (json.dumps({"collections": {ORDERS: {"schema": "orders.yaml", "key": ["/id"]}}}), "in another file"),
        (
            json.dumps({"captures": {ORDERS: {"endpoint": {"connector": {"config": {"password": "open sesame"}}}}}}),
            "secrets that are not encrypted, at endpoint.connector.config.password",
        ),
    ],
)
async def test_a_flow_that_no_file_specifies_ends_it_before_anybody_is_asked(make: Make, text: str, why: str) -> None:
    world = flowing()
    world.files["flows.yaml", HEAD] = text
    house = make(world)
    async with house.at_work():
        result = await (await house.ask_for()).result()
    assert (result.outcome, world.done, world.sellers.published) == ("refused", [], [])
    assert why in str(result.reason)
    assert "open sesame" not in str(result.reason)


async def test_a_database_of_a_branch_that_is_made_is_migrated_there(make: Make) -> None:
    world = needing(neon=BRANCH)
    world.manifest += "migrate: {command: [python3, migrate.py]}\n"
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
        [branch] = [one for one in world.database.branches.values() if one.name == "shop"]
    assert (result.outcome, branch.schema, world.database.main.schema) == ("completed", NEW, OLD)


async def test_what_a_manifest_asks_of_what_other_goals_buy_is_held_nowhere_and_said() -> None:
    manifest = read_manifest(needing(redis=REDIS).manifest.encode()).manifest
    asks = {"approvals": [{"action": "upstash.*", "quorum": 2}], "budget": {"day": 5}, "actions": [{"deny": "neon.*"}]}
    told = held_nowhere(Tightening.model_validate(asks), manifest.needs)
    assert [one.split(":")[0] for one in told] == ["policy.approvals[0]", "policy.budget"]
    assert held_nowhere(Tightening.model_validate(asks)) == ()
