"""Where very many goals have just been started, a click does not wait until each of them had its turn."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from tests.workflows.approval.approving import Ask, House

pytestmark = pytest.mark.asyncio(loop_scope="session")

CROWD = 80


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path)


async def first(handle: WorkflowHandle[Any, Any], attributes: str) -> datetime:
    """When the first event of a kind happened."""
    history = await handle.fetch_history()
    return next(one.event_time.ToDatetime() for one in history.events if one.HasField(attributes))  # pyright: ignore[reportArgumentType] - a field's name


async def test_a_click_overtakes_goals_that_were_started_before_it(house: House) -> None:
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        signed = house.sign(await house.decision(approval, "alice"))
    # Nobody takes their tasks yet.
    crowd = await asyncio.gather(*(house.ask(Ask(wait=True)) for _ in range(CROWD)))
    click = asyncio.create_task(house.send(approval, signed))
    async with house.workers(few=True):
        assert (await click).approvals == 1
        counted = await first(
            house.client.get_workflow_handle(approval), "workflow_execution_update_completed_event_attributes"
        )
        begun = [await begins(one) for one in crowd]
    for one in (goal, *crowd):
        await one.terminate()
    before = sum(at < counted for at in begun)
    assert before < CROWD / 4, f"{before} of {CROWD} goals went before the click"


async def begins(handle: WorkflowHandle[Any, Any]) -> datetime:
    """When a workflow had its first turn, once it had."""
    while (await handle.describe()).history_length < 3:  # noqa: ASYNC110 - what is asked lies in a server
        await asyncio.sleep(0.05)
    return await first(handle, "workflow_task_started_event_attributes")
