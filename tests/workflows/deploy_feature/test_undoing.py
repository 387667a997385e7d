"""A deployment that does not hold is taken back as its manifest says, and what is left is said."""

import shlex

import pytest

from activities.guard.error_types import ErrorType, application_error
from hitl.approval.decision import Verdict
from tests.workflows.deploy_feature.deploying import BEFORE, DOWN, MANIFEST, UP, Make, World, marks
from workflows.catalogue import GOALS

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
BACK = '{"repository":"acme/shop","stack":"staging","folder":"infra","version":4}'


async def test_what_is_not_healthy_is_taken_back_in_reverse_by_an_approval_of_its_own(make: Make) -> None:
    world = World()
    world.pages = [UP, UP, UP, DOWN]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approve(goal)
        undo = await house.approve(goal, after=1)
        result = await goal.result()
    assert world.done[0] == "staging c"
    assert world.done[-2:] == ["live b", "staging b"]
    assert (result.outcome, result.merged, result.commands_left) == ("undone", None, ())
    assert "https://live.example.com/healthz was not well for 0:00:01 in time: it answered 503" in str(result.reason)
    assert undo.summary[0] == "Take shop-web back, of which cccccccccccc was deployed"
    assert [(one.undone, one.restored) for one in result.environments] == [(True, True)] * 2
    assert marks(result.steps)["undo staging"] == "done"
    assert world.checks[-1].conclusion == "failure"


async def test_what_is_taken_back_and_does_not_serve_waits_for_a_person_until_it_does(make: Make) -> None:
    world = World()
    world.pages, world.back = [DOWN], [DOWN]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        await house.approve(goal, after=1)
        status = await house.until(goal, "parked")
        world.back = [UP]
        await goal.execute_update("retry", {"person": "carol", "reason": "mended", "step": "verify undo staging"})
        result = await goal.result()
    assert "staging is back at bbbbbbbbbbbb and not healthy: https://staging.example.com/healthz was not well" in str(
        status.waiting_for
    )
    assert "Look: banksman run InspectStack" in str(status.waiting_for)
    assert (result.outcome, world.done, result.commands_left) == ("undone", ["staging c", "staging b"], ())
    assert [one.restored for one in result.environments] == [True]


async def test_what_is_taken_back_and_left_ill_is_no_good_end_and_says_so(make: Make) -> None:
    world = World()
    world.pages, world.back = [DOWN], [DOWN]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        await house.approve(goal, after=1)
        await house.until(goal, "parked")
        await goal.execute_update("abort", {"person": "carol", "reason": "by hand"})
        result = await goal.result()
    told = [(one.undone, one.restored) for one in result.environments]
    assert (result.outcome, told) == ("partially_applied", [(True, False)])
    assert "All of it was taken back: staging is back at bbbbbbbbbbbb and not healthy" in str(result.reason)
    assert [one.split(" --input")[0] for one in result.commands_left] == ["banksman run InspectStack"]


@pytest.mark.parametrize(
    ("before", "why"),
    [("", "has no banksman.yaml at bbbbbbbbbbbb"), (MANIFEST.replace("rollback", "x"), "cannot be used")],
    ids=["none", "wrong"],
)
async def test_where_the_manifest_before_says_nothing_the_record_says_that_nobody_looked(
    make: Make, before: str, why: str
) -> None:
    world = World()
    world.pages, world.manifests = [DOWN], {BEFORE: before}
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, [one.restored for one in result.environments]) == ("undone", [None])
    assert any("nobody looked whether staging serves as before" in one and why in one for one in result.record)


async def test_what_was_there_before_is_looked_at_as_its_own_manifest_says(make: Make) -> None:
    world = World()
    world.pages = [DOWN]
    world.manifests = {BEFORE: MANIFEST.replace("/healthz", "/old")}
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, world.urls[-1]) == ("undone", "https://staging.example.com/old")


async def test_what_people_do_not_let_be_taken_back_is_said_with_the_commands_that_are_left(make: Make) -> None:
    world = World()
    world.pages = [DOWN]
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approve(goal)
        await house.decide(await house.approval_of(goal, after=1), "bob", verdict=Verdict.REJECT, reason="I mend it")
        result = await goal.result()
    assert (result.outcome, world.done) == ("partially_applied", ["staging c"])
    assert "I mend it" in str(result.reason)
    assert result.commands_left == (f"banksman run RollBackStack --input '{BACK}'",)


@pytest.mark.parametrize(
    ("manifest", "history", "why"),
    [
        (MANIFEST.replace("previous", "never"), True, "the manifest's rollback.infrastructure is `never`"),
        (MANIFEST, False, "no deployment before this one is known by its commit"),
    ],
    ids=["never", "first"],
)
async def test_what_has_no_way_back_stays_and_is_said(make: Make, manifest: str, why: str, *, history: bool) -> None:
    world = World()
    world.manifest, world.pages = manifest, [DOWN]
    world.history = world.history if history else ()
    house = make(world)
    async with house.at_work():
        result = await house.deployed(environments=["staging"])
    assert (result.outcome, world.done, result.risk) == ("partially_applied", ["staging c"], "R2")
    assert why in str(result.reason)
    assert result.commands_left[0].startswith("banksman run InspectStack")


async def test_taking_back_that_fails_parks_with_what_is_left_and_goes_on_when_somebody_mended_it(make: Make) -> None:
    world = World()
    world.pages, world.previews = [DOWN], {BEFORE: application_error(ErrorType.INVALID_REQUEST, "a package is gone")}
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        status = await house.until(goal, "parked")
        world.previews = {}
        told = {"person": "carol", "reason": "the package is back", "step": "preview undo staging"}
        await goal.execute_update("retry", told)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert "a package is gone" in str(status.waiting_for)
    assert "banksman run RollBackStack" in str(status.waiting_for)
    assert (result.outcome, world.done) == ("undone", ["staging c", "staging b"])
    assert any("resumed by carol: the package is back" in one for one in result.record)
    assert house.teller.asked


async def test_taking_back_that_somebody_leaves_ends_as_what_it_is_with_a_command_that_can_be_run(make: Make) -> None:
    world = World()
    world.pages, world.previews = [DOWN], {BEFORE: application_error(ErrorType.INVALID_REQUEST, "a package is gone")}
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for(environments=["staging"])
        await house.approve(goal)
        await house.until(goal, "parked")
        await goal.execute_update("abort", {"person": "carol", "reason": "by hand"})
        result = await goal.result()
    assert (result.outcome, world.done) == ("partially_applied", ["staging c"])
    assert "a package is gone" in str(result.reason)
    [command] = result.commands_left
    banksman, run, name, option, given = shlex.split(command)
    assert (banksman, run, name, option) == ("banksman", "run", "RollBackStack", "--input")
    asked = next(one for one in GOALS if one.name == name).input.model_validate_json(given)
    assert asked.model_dump(include={"repository", "stack", "version"}) == {
        "repository": "acme/shop",
        "stack": "staging",
        "version": 4,
    }
