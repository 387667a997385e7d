"""A service's manifest that asks for more, through Slack and the real gateway: who is still needed, and why."""

from pathlib import Path

import pytest
from pydantic import JsonValue
from temporalio.client import Client

from connectors.vault import VaultSession
from hitl.approval.decision import read_decision
from hitl.approval.stricter import Stricter
from tests.hitl.approval.granting_steps import BASE, BRANCH
from tests.hitl.gateway.running import Place, eventually, place, texts
from tests.hitl.gateway.stepping import Steps
from tests.workflows.approval.approving import ACTION, POLICY
from workflows.approval.contracts import ApprovalResult, ApprovalView
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECURED = POLICY.replace("  leads: [dave]", "  leads: [dave]\n  security: [carol]")
FILE = "banksman.yaml"


def asks(**more: JsonValue) -> Stricter:
    asked: dict[str, JsonValue] = {"approvals": [{"action": ACTION, **more}]}
    return Stricter(source=FILE, asked=asked, lines={"approvals.0": 53})


async def waits_for(at: Place, approval: str, count: int) -> ApprovalView:
    async def decided() -> bool:
        return len((await at.house.view(approval)).decisions) == count

    await eventually(decided)
    return await at.house.view(approval)


async def test_two_approve_and_it_still_waits_for_somebody_of_security(
    client: Client, vault: VaultSession, tmp_path: Path
) -> None:
    async with place(client, vault, tmp_path, policy=SECURED) as at, at.running() as gateway:
        goal, approval, message = await at.asked(gateway, tightening=asks(also=["security"]))
        assert "Among them somebody of security: nobody yet" in texts(message)
        assert f"Stricter than the deployment's policy by {FILE} (line 53)" in texts(message)
        assert f"{FILE} tightens the deployment's policy for it:" in texts(message)
        for person in ("alice", "bob"):
            assert (await at.click(person, message))["acknowledged"]
        view = await waits_for(at, approval, 2)
        assert (view.state, view.needs, [one.approved_by for one in view.also]) == (State.WAITING, 3, [()])
        assert (await at.click("carol", message))["acknowledged"]
        result = await goal.result()
        await at.message(approval, lambda one: "somebody of security: carol" in texts(one))
        handle = client.get_workflow_handle(approval, result_type=ApprovalResult)
        signed = [read_decision(one.text) for one in (await handle.result()).decisions]
    assert result.outcome == "completed"
    assert at.house.remover.removed == [result.branch]
    assert [(one.person, one.also) for one in signed] == [("alice", ()), ("bob", ()), ("carol", ("security",))]


async def test_where_nothing_more_is_asked_two_are_enough(client: Client, vault: VaultSession, tmp_path: Path) -> None:
    async with place(client, vault, tmp_path, policy=SECURED) as at, at.running() as gateway:
        goal, _, message = await at.asked(gateway)
        assert "Among them" not in texts(message)
        for person in ("alice", "bob"):
            await at.click(person, message)
        assert (await goal.result()).outcome == "completed"


async def test_who_is_no_longer_asked_by_the_manifest_is_refused(
    client: Client, vault: VaultSession, tmp_path: Path
) -> None:
    wide = SECURED.replace("groups: [release]", "groups: [release, leads]")
    async with place(client, vault, tmp_path, policy=wide) as at, at.running() as gateway:
        goal, approval, message = await at.asked(gateway, tightening=asks(groups=["leads"], quorum=1))
        await at.click("alice", message)
        assert "'alice' is not in 'leads'" in (await at.told("alice"))[0]
        assert (await at.house.view(approval)).decisions == ()
        await goal.terminate()
    assert at.house.remover.removed == []


async def test_a_manifest_that_denies_it_asks_nobody_and_names_its_line(
    client: Client, vault: VaultSession, tmp_path: Path
) -> None:
    frozen: dict[str, JsonValue] = {"actions": [{"deny": "github.*", "because": "frozen"}]}
    async with place(client, vault, tmp_path, policy=SECURED) as at, at.running() as gateway:
        goal = await at.goal(gateway, tightening=Stricter(source=FILE, asked=frozen, lines={"actions.0": 40}))
        result = await goal.result()
    assert result.outcome == State.DENIED
    assert f"{FILE}: policy.actions[0] (line 40): frozen" in (result.reason or "")
    assert at.house.remover.removed == []


async def test_a_policy_that_changes_elsewhere_costs_no_tightened_approval(
    client: Client, vault: VaultSession, tmp_path: Path
) -> None:
    async with place(client, vault, tmp_path, policy=SECURED) as at, at.running() as gateway:
        goal, approval, message = await at.asked(gateway, tightening=asks(also=["security"]))
        await at.click("carol", message)
        at.house.path.write_text(SECURED.replace("erin: [slack:U0ERIN]", "erin: [slack:U0ERIN, github:erin]"))
        await gateway.rule_changes.look()
        await at.click("alice", message)
        assert (await goal.result()).outcome == "completed"
        assert (await at.house.view(approval)).state is State.APPROVED


async def test_each_step_of_many_shows_who_must_be_among_its_people(steps: Steps) -> None:
    asked: dict[str, JsonValue] = {
        "approvals": [{"action": BASE, "also": ["release"]}, {"action": BRANCH, "quorum": 2}]
    }
    async with steps.running() as gateway:
        goal, approval, message = await steps.take_down(gateway, tightening=Stricter(source=FILE, asked=asked))
        assert "Step 2: 2 of data, somebody of release among them" in texts(message)
        assert "Steps 1, 3: 2 of release" in texts(message)
        await steps.approve(message, "carol", "alice")
        view = await waits_for(steps, approval, 2)
        assert [one.lacks for one in view.steps] == [1, 1, 1]
        await steps.approve(message, "bob")
        result = await goal.result()
        ended = await steps.house.view(approval)
    assert (result.outcome, result.done) == (State.COMPLETED, 3)
    assert [one.approved_by for one in ended.steps[1].also] == [("bob",)]
