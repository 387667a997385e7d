"""What whoever watches a goal is told while it waits, on the real server."""

import io
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.served_queues import is_served
from tests.workflows.approval.approving import ACTION, House, eventually
from tests.workflows.parking import NobodyWorkflow, ParkInput, ParkWorkflow, StepWorkflow
from workers.commands import waiting
from workers.commands.follow import lasted, now
from workers.commands.waiting import Waits
from workers.settings import Settings

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

HOSTILE = "the [bold]provider[/bold] is away \x1b[2J"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a person reads on a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80, color_system=None, force_terminal=True, highlight=False)
    monkeypatch.setattr(waiting, "err", console)
    assert isinstance(console.file, io.StringIO)
    return console.file


def settings(client: Client, **more: object) -> Settings:
    return Settings.model_validate({"temporal_address": client.service_client.config.target_host, **more})


async def test_a_parked_goal_says_why_once_and_how_it_goes_on(client: Client, said: io.StringIO) -> None:
    queue = f"park-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[ParkWorkflow]):
        goal = await client.start_workflow("TestPark", ParkInput(why=HOSTILE), id=f"park it/{queue}", task_queue=queue)
        waits = Waits(client, settings(client), goal.id)

        async def told() -> bool:
            await waits.tell(await goal.describe())
            return said.getvalue() != ""

        await eventually(told)
        first = said.getvalue()
        for _ in range(3):
            await told()
        assert said.getvalue() == first
        await goal.execute_update("resume", {"note": "mended"})
        await goal.result()
        await told()
        assert said.getvalue() == first
    assert "\x1b" not in first
    assert "parked: the [bold]provider[/bold] is away \\u001b[2J" in first
    assert f"banksman resume 'park it/{queue}'" in first
    cancel = next(line for line in first.splitlines() if "temporal workflow cancel" in line)
    assert f"--address {client.service_client.config.target_host} --namespace {client.namespace}" in cancel


async def test_one_that_waits_for_people_says_for_whom_and_where(
    client: Client, said: io.StringIO, tmp_path: Path
) -> None:
    house = House(client, tmp_path)
    async with house.workers():
        goal = await house.start(branch="told")
        approval = await house.approval_of(goal)
        waits = Waits(client, settings(client, console_url="https://console.example"), goal.id)

        async def told() -> bool:
            await waits.tell(await goal.describe())
            return "to approve" in said.getvalue()

        await eventually(told)
        await goal.cancel()
    text = said.getvalue()
    assert f"waits: for 2 of release to approve {ACTION}, until " in text
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    assert any(line[-1].startswith("https://console.example/approval?id=approval%2F") for line in lines)
    assert any(f"banksman approvals show {approval}" in line[-1] for line in lines)


async def test_a_queue_that_nobody_serves_is_named(
    client: Client, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_UNSERVED_AFTER", timedelta())
    queue = f"nobody-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[NobodyWorkflow]):
        assert not await is_served(client, queue), "it serves no steps"
        goal = await client.start_workflow("TestNobody", queue, id=queue, task_queue=queue)
        waits = Waits(client, settings(client), goal.id)

        async def told() -> bool:
            await waits.tell(await goal.describe())
            return said.getvalue() != ""

        await eventually(told)
        await goal.terminate()
    assert f"waits: nobody serves the queue {queue}: no " in said.getvalue()
    assert "`banksman status`" in said.getvalue()


async def test_the_step_under_way_is_told_in_the_goal_s_words_and_by_its_name_where_it_has_none(client: Client) -> None:
    queue = f"words-{uuid.uuid4()}"
    flows = [StepWorkflow, NobodyWorkflow]
    async with Worker(client, task_queue=queue, workflows=flows):
        goal = await client.start_workflow("TestStep", ParkInput(why="nobody"), id=f"s/{queue}", task_queue=queue)
        bare = await client.start_workflow("TestNobody", "nobody", id=f"n/{queue}", task_queue=queue)
        for handle, words in ((goal, "Read README.md"), (bare, "test.nobody")):

            async def told(handle: WorkflowHandle[Any, Any] = handle, words: str = words) -> bool:
                return await now(handle, await handle.describe()) == words

            await eventually(told)
            await handle.terminate()


@pytest.mark.parametrize(
    ("state", "seconds", "words"),
    [
        (PendingActivityState.PENDING_ACTIVITY_STATE_STARTED, 59, ""),
        (PendingActivityState.PENDING_ACTIVITY_STATE_STARTED, 200, ", for 3 min"),
        (PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED, 200, ""),
    ],
)
async def test_how_long_a_step_has_run_is_told(state: PendingActivityState.ValueType, seconds: int, words: str) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    step = PendingActivityInfo(state=state)
    step.last_started_time.FromDatetime(began)
    assert lasted(step, began + timedelta(seconds=seconds)) == words
