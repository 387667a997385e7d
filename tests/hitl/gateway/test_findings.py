"""What an investigation found, below the message by which people were told of the goal: once, and as plain text."""

import secrets
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from activities.queues import TaskQueue
from tests.hitl.gateway.parking import REQUEST, outage, until_told
from tests.hitl.gateway.running import Place, eventually
from tests.workflows.agent.looking import LookingHouse, claims, says
from workflows.agent.findings_contracts import FINDINGS_NOTICE, TELL_FINDINGS, TellFindings
from workflows.agent.goals import InvestigateResult

pytestmark = pytest.mark.asyncio(loop_scope="session")
FOUND = claims(("<!channel> It is parked.", "r1", '"state": "parked"'), ("It burns.", "r1", "fire"))


async def notices_of(here: Place, goal: WorkflowHandle[Any, InvestigateResult]) -> list[str]:
    found: list[str] = []

    async def ended() -> bool:
        query = f"WorkflowType = '{FINDINGS_NOTICE}' AND ParentWorkflowId = '{goal.id}'"
        found[:] = [one.id async for one in here.client.list_workflows(f"{query} AND ExecutionStatus = 'Completed'")]
        return bool(found)

    await eventually(ended)
    return found


async def test_it_is_said_once_in_the_thread_of_a_parked_goal(one: Place, tmp_path: Path) -> None:
    house = LookingHouse(one.client, tmp_path, says(FOUND))
    house.real_gateway, house.world.files["README.md"] = True, outage()
    async with house.workers(destructive=False), one.gateway():
        parked = await one.client.start_workflow(
            "ReadFile", REQUEST, id=f"read-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
        )
        [message] = await until_told(one, 0)
        goal = await house.investigate(goal=parked.id, corrections=0)
        result = await goal.result()
        await notices_of(one, goal)
        said = await one.thread(message["ts"], lines=1)
    assert result.outcome == "completed"
    assert len(said) == 1
    for expected in (f"Investigated by {goal.id}, in the words of a language model:", "UNPROVED: It burns."):
        assert expected in said[0]
    assert "It is parked." in said[0]


async def test_only_the_notice_of_an_investigation_says_it(one: Place, tmp_path: Path) -> None:
    house = LookingHouse(one.client, tmp_path, says(FOUND))
    house.real_gateway = True
    before = len(await one.messages())
    async with house.workers(destructive=False), one.gateway():
        by_hand = await one.client.start_workflow(
            FINDINGS_NOTICE,
            TellFindings(lines=("Approved by alice",)),
            id=f"findings-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
        )
        await by_hand.result()
        history = await by_hand.fetch_history()
    failed = [event for event in history.events if event.HasField("activity_task_failed_event_attributes")]
    assert "no investigation left this FindingsNotice" in str(failed[0].activity_task_failed_event_attributes.failure)
    assert (len(await one.messages()), TELL_FINDINGS.queue) == (before, TaskQueue.HITL)
