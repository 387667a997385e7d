"""A rule that changes while people are waited for, and nobody clicks: the approval finds out, the goal asks again."""

from collections import Counter
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.workflows.approval.approving import POLICY, House, eventually
from tests.workflows.other_starts import StartedOtherwise, asking_otherwise
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")

ONE, THREE = POLICY.replace("quorum: 2", "quorum: 1"), POLICY.replace("quorum: 2", "quorum: 3")
NOBODY = POLICY[: POLICY.index("    approvals:")]
RESOLVE = "approval.resolve_rule"


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path)


def looking(house: House) -> AbstractAsyncContextManager[None]:
    """Its workers, with approvals that look every second."""
    soon = asking_otherwise(look_after=timedelta(seconds=1))
    return house.workers(interceptors=[StartedOtherwise(soon)])


async def counted(house: House, workflow_id: str) -> Counter[str]:
    """The events of its history by kind, with the steps by name."""
    found = Counter[str]()
    async for event in house.client.get_workflow_handle(workflow_id).fetch_history_events():
        kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
        step = event.activity_task_scheduled_event_attributes.activity_type.name
        found[f"{kind} {step}".strip()] += 1
    return found


async def looked(house: House, approval: str, *, times: int) -> Counter[str]:
    """Its history, once it has looked so often and heard the answer."""
    found = Counter[str]()

    async def so_often() -> bool:
        found.clear()
        found.update(await counted(house, approval))
        return found["ACTIVITY_TASK_COMPLETED"] >= times

    await eventually(so_often)
    return found


async def test_a_rule_that_changes_while_nobody_clicks_is_asked_again_once_with_the_reason(house: House) -> None:
    async with looking(house):
        goal = await house.start()
        approval = await house.approval_of(goal)
        await house.decide(approval, "carol")
        house.path.write_text(ONE)
        again = await house.approval_of(goal, after=1)
        told, asked = await house.view(approval), await house.view(again)
        assert (told.state, asked.needs) == (State.SUPERSEDED, 1)
        assert told.reason.startswith("The rule changed: ")
        assert told.reason.endswith(" The goal asks again.")
        await looked(house, again, times=2)
        assert (await house.view(again)).state is State.WAITING
        assert (await house.decide(again, "bob")).state is State.APPROVED
        assert (await goal.result()).outcome == "completed"
    assert (await counted(house, goal.id))["CHILD_WORKFLOW_EXECUTION_STARTED"] == 4  # two of them told how it went on
    assert house.remover.removed == ["old"]


async def test_a_rule_that_changes_twice_ends_the_goal_with_the_reason(house: House) -> None:
    async with looking(house):
        goal = await house.start()
        await house.approval_of(goal)
        house.path.write_text(ONE)
        await house.approval_of(goal, after=1)
        house.path.write_text(THREE)
        result = await goal.result()
    assert (result.outcome, house.remover.removed) == ("superseded", [])
    assert "The rule changed: " in (result.reason or "")


async def test_a_policy_that_lets_nobody_approve_any_more_ends_the_goal_as_denied(house: House) -> None:
    async with looking(house):
        goal = await house.start()
        approval = await house.approval_of(goal)
        house.path.write_text(NOBODY)
        result = await goal.result()
        told = await house.view(approval)
    assert (result.outcome, house.remover.removed) == ("denied", [])
    assert told.state is State.SUPERSEDED
    assert told.reason.startswith("The policy changed: ")
    assert (await counted(house, goal.id))["START_CHILD_WORKFLOW_EXECUTION_INITIATED"] == 1


async def test_a_policy_that_cannot_be_read_changes_nothing(house: House) -> None:
    async with looking(house):
        goal = await house.start()
        waiting = house.client.get_workflow_handle(await house.approval_of(goal))
        house.path.write_text("environments: [")

        async def tried_again() -> bool:
            pending = (await waiting.describe()).raw_description.pending_activities
            return any(one.activity_type.name == RESOLVE and one.attempt > 1 for one in pending)

        await eventually(tried_again)
        assert (await house.view(waiting.id)).state is State.WAITING
        house.path.write_text(POLICY)
        await looked(house, waiting.id, times=1)
        for person in ("alice", "bob"):
            await house.decide(waiting.id, person)
        assert (await goal.result()).outcome == "completed"


async def test_a_rule_that_stays_costs_sixteen_events_a_look_and_none_before_the_first(house: House) -> None:
    async with house.workers():
        goal = await house.start(branch="quick")
        quick = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(quick, person)
        assert (await goal.result()).outcome == "completed"
    events = await counted(house, quick)
    assert (events["MARKER_RECORDED"], events[f"ACTIVITY_TASK_SCHEDULED {RESOLVE}"]) == (0, 0)
    async with looking(house):
        goal = await house.start(branch="slow")
        slow = await house.approval_of(goal)
        first = await looked(house, slow, times=1)
        later = await looked(house, slow, times=3)
        assert (await house.view(slow)).state is State.WAITING
        await goal.cancel()
    assert later["MARKER_RECORDED"] == 1
    looks = later[f"ACTIVITY_TASK_SCHEDULED {RESOLVE}"] - first[f"ACTIVITY_TASK_SCHEDULED {RESOLVE}"]
    assert looks >= 1
    assert later.total() - first.total() <= 16 * (looks + 1)


async def test_it_looks_at_once_when_it_hears_that_the_policy_changed(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        waiting = house.client.get_workflow_handle(approval)
        await waiting.signal("policy_changed")
        await looked(house, approval, times=1)
        assert (await house.view(approval)).state is State.WAITING
        house.path.write_text(ONE)
        await waiting.signal("policy_changed")
        again = await house.approval_of(goal, after=1)
        assert (await house.view(again)).needs == 1
        await goal.cancel()
