"""A gateway that sees another policy tells the approvals that would be asked for otherwise, and no others."""

from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from activities.guard.policy_source import PolicySource
from hitl.gateway.rule_changes import RuleChanges
from tests.connectors.slack.workspace import Json
from tests.hitl.gateway.running import ONE, Place, eventually
from tests.workflows.approval.approving import POLICY, RemoveResult
from workers.gateway import Gateway
from workflows.contracts import STATE_ATTRIBUTE, State

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def signals(here: Place, approval: str) -> int:
    """How often it was told.

    The server adds what arrives during a workflow task to the history only when that task is over.
    """
    handle = here.client.get_workflow_handle(approval)

    async def no_task() -> bool:
        return not (await handle.describe()).raw_description.HasField("pending_workflow_task")

    await eventually(no_task)
    events = handle.fetch_history_events()
    return sum([one.HasField("workflow_execution_signaled_event_attributes") async for one in events])


async def asked(here: Place, gateway: Gateway) -> tuple[WorkflowHandle[Any, RemoveResult], str, Json]:
    """A goal with its approval and message, once the server's lists have it."""
    goal, approval, message = await here.asked(gateway)
    query = f"WorkflowId = '{approval}' AND {STATE_ATTRIBUTE.name} = 'waiting'"

    async def listed() -> bool:
        return (await here.client.count_workflows(query)).count == 1

    await eventually(listed)
    return goal, approval, message


async def test_nobody_clicks_and_a_changed_rule_is_asked_again_at_once(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await asked(here, gateway)
        for _ in range(4):
            await gateway.rule_changes.look()
        assert await signals(here, approval) == 0
        here.house.path.write_text(ONE)
        await gateway.rule_changes.look()
        again = await here.house.approval_of(goal, after=1)
        thread = await here.thread(message["ts"], lines=1)
        assert (await here.house.view(again)).needs == 1
        for _ in range(4):
            await gateway.rule_changes.look()
        assert (await signals(here, approval), await signals(here, again)) == (1, 0)
        await here.click("alice", await here.message(again))
        assert (await goal.result()).outcome == "completed"
    assert "The rule changed: " in thread[0]


async def test_a_phase_that_forbids_it_ends_the_goal_as_denied(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await asked(here, gateway)
        here.house.path.write_text(POLICY.replace("phase: production", "phase: read_only"))
        await gateway.rule_changes.look()
        assert (await goal.result()).outcome == "denied"
        assert (await here.house.view(approval)).state is State.SUPERSEDED
    assert here.house.remover.removed == []


async def test_where_others_see_the_policy_later_it_is_told_again_and_not_for_ever(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await asked(here, gateway)
        newer = here.folder / "newer.yaml"
        newer.write_text(ONE)
        ahead = RuleChanges(gateway.sweeper._server, PolicySource(newer, environment="live"))
        for _ in range(5):
            await ahead.look()
        assert await signals(here, approval) == 3
        assert (await here.house.view(approval)).state is State.WAITING
        await goal.cancel()


async def test_an_approval_that_nobody_can_read_keeps_it_from_no_other(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await asked(here, gateway)
        forged = [
            await here.client.start_workflow(
                "Approval",
                given,
                id=f"{approval}/forged/{number}",
                task_queue="nobody",
                search_attributes=TypedSearchAttributes([SearchAttributePair(STATE_ATTRIBUTE, "waiting")]),
            )
            for number, given in enumerate(("nothing", here.house.request().model_copy(update={"plan": "{}"})))
        ]
        here.house.path.write_text(ONE)

        async def told() -> bool:
            gateway.rule_changes._looks = 1
            await gateway.rule_changes.look()
            return (await here.house.view(approval)).state is State.SUPERSEDED

        await eventually(told)
        await goal.cancel()
        for one in forged:
            await one.terminate()
