"""What becomes of a deployment while people decide: they say no, or nothing, or what they were asked about changes."""

from datetime import timedelta

import pytest

from hitl.approval.decision import Verdict
from tests.workflows.deploy_feature.deploying import HEAD, MANIFEST, NEWER, POLICY, Make, World, marks

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def test_what_people_reject_changes_nothing(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.decide(await house.approval_of(goal), "alice", verdict=Verdict.REJECT, reason="not on a Friday")
        result = await goal.result()
    assert (result.outcome, world.done) == ("rejected", [])
    assert "not on a Friday" in str(result.reason)
    assert marks(result.steps)["approval"] == "failed"


async def test_silence_changes_nothing(make: Make) -> None:
    world = World()
    house = make(world)
    house.patience = timedelta(seconds=1)
    async with house.at_work():
        result = await (await house.ask_for()).result()
    assert (result.outcome, world.done, world.checks[-1].conclusion) == ("expired", [], "failure")


async def test_what_is_approved_too_late_to_be_carried_out_is_asked_again_and_not_done(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        house.ahead = timedelta(days=400)
        await house.approve(goal)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert (result.outcome, world.done) == ("denied", [])


async def test_a_branch_that_moves_while_people_decide_is_planned_and_asked_anew(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        world.head = NEWER
        await house.approve(goal)
        plan = await house.approve(goal, after=1)
        result = await goal.result()
    assert plan.summary[0].startswith("Asked again: feature/cart of 'acme/shop' moved from cccccccccccc to dddddd")
    assert (result.outcome, result.commit) == ("completed", NEWER)
    assert world.done == ["staging d", "live d", "merge d"]
    assert len(world.commands) == 2
    assert ("Superseded by dddddddddddd", "neutral", HEAD) in [
        (one.title, one.conclusion, one.commit) for one in world.checks
    ]


async def test_a_state_that_changes_while_people_decide_is_planned_and_asked_anew(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        world.states["live"] = "5" * 64
        await house.approve(goal)
        plan = await house.approve(goal, after=1)
        result = await goal.result()
    assert "the state of infra/live is another one" in plan.summary[0]
    assert (result.outcome, world.done) == ("completed", ["staging c", "live c", "merge c"])
    assert len(world.commands) == 1


async def test_what_is_changed_past_a_state_while_people_decide_is_found_before_anything_is_done(make: Make) -> None:
    """Of the second stack, too: else the first one would have to be taken back."""
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        world.drifted["live"] = ("container web: ports 80 → 8080",)
        await house.approve(goal)
        second = await house.approval_of(goal, after=1)
        assert world.done == []
        plan = await house.plan(second)
        await house.approve(goal, after=1)
        result = await goal.result()
    assert "somebody changed infra/live past its state (container web: ports 80 → 8080)" in plan.summary[0]
    assert (result.outcome, world.done) == ("completed", ["staging c", "live c", "merge c"])


async def test_a_policy_that_changes_while_people_decide_is_asked_anew_by_the_new_rule(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        first = await house.approval_of(goal)
        await house.decide(first, "alice")
        house.path.write_text(POLICY.replace("[release], quorum: 2", "[release], quorum: 3"))
        await house.client.get_workflow_handle(first).signal("policy_changed")
        second = await house.approval_of(goal, after=1)
        assert world.done == []
        for person in ("alice", "bob", "carol"):
            await house.decide(second, person)
        result = await goal.result()
    assert (result.outcome, world.done) == ("completed", ["staging c", "live c", "merge c"])


async def test_a_policy_that_denies_while_people_decide_has_nothing_done(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        first = await house.approval_of(goal)
        before = await house.decision(first, "alice"), await house.decision(first, "bob")
        house.path.write_text(POLICY.replace("allow: pulumi.update_stack", "deny: pulumi.update_stack"))
        for one in before:
            await house.send(first, house.sign(one))
        result = await goal.result()
    assert (result.outcome, world.done, world.checks[-1].conclusion) == ("denied", [], "failure")
    assert "pulumi.update_stack" in str(result.reason)


async def test_a_base_whose_manifest_changes_while_people_decide_is_planned_and_asked_anew(make: Make) -> None:
    world = World()
    house = make(world)
    async with house.at_work():
        goal = await house.ask_for()
        await house.approval_of(goal)
        world.base = MANIFEST + "policy: {approvals: [{action: github.merge_pull_request, quorum: 3}]}\n"
        await house.approve(goal)
        plan = await house.approve(goal, after=1)
        await house.decide(await house.approval_of(goal, after=1), "carol")
        result = await goal.result()
    assert plan.summary[0].startswith("Asked again: banksman.yaml of main is another one than when people were asked")
    assert (result.outcome, world.done) == ("completed", ["staging c", "live c", "merge c"])
