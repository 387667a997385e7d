"""A worker that ends drops the goals that it kept, and Python throws `GeneratorExit` into each of them.

That may happen on any thread: whatever a goal awaits on its way out would be done outside of it, or in another workflow
(temporalio/sdk-python#494). So it awaits nothing; the goal is the server's, and goes on with the next worker.
"""

import asyncio
import contextlib
import gc
import secrets
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.queues import TaskQueue
from tests.replay.scenarios import exhausted
from tests.workflows.approval.approving import eventually
from tests.workflows.approval.telling import Teller, until_told
from tests.workflows.holding import HolderWorkflow
from tests.workflows.pulumi.stacking import UP, Stack, StackSessions
from tests.workflows.scripted import workers
from workflows.approval.contracts import NOTICE_WORKFLOW
from workflows.contracts import Resume
from workflows.pulumi.goals import StackResult
from workflows.pulumi.lock import StackLockWorkflow
from workflows.repository.goals import ReadFileInput, ReadFileResult

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Python could tell nobody while it threw things away."""
    found: list[str] = []

    def note(args: "UnraisableHookArgs") -> None:
        found.append(f"{args.exc_value!r} in {args.object!r}")

    gc.collect()
    monkeypatch.setattr(sys, "unraisablehook", note)
    return found


async def throw_away() -> None:
    """Collect what the ended worker kept."""
    for _ in range(3):
        await asyncio.sleep(0.1)
        gc.collect()


async def rests(goal: WorkflowHandle[Any, Any], step: str) -> None:
    """Until the step was asked for and people were told: one that is at work when the worker ends is not dropped."""

    async def quiet() -> bool:
        events = (await goal.fetch_history()).events
        asked = {event.activity_task_scheduled_event_attributes.activity_type.name for event in events}
        ended = {event.child_workflow_execution_completed_event_attributes.workflow_type.name for event in events}
        described = await goal.describe()
        at_work = described.raw_description.HasField("pending_workflow_task")
        return step in asked and NOTICE_WORKFLOW in ended and not at_work

    await eventually(quiet)


@contextlib.asynccontextmanager
async def lock_worker(client: Client) -> AsyncGenerator[None]:
    worker = Worker(
        client,
        task_queue="worker-ends-test",
        workflows=[HolderWorkflow, StackLockWorkflow],
    )
    async with worker:
        yield


async def test_a_goal_that_has_a_stack_and_one_that_waits_for_it(client: Client, complaints: list[str]) -> None:
    project = f"p{secrets.token_hex(4)}"

    async def start(name: str) -> WorkflowHandle[Any, str]:
        return await client.start_workflow(
            "Holder", project, id=f"{name}-{project}", task_queue="worker-ends-test", result_type=str
        )

    async def has(handle: WorkflowHandle[Any, Any]) -> bool:
        return await handle.query("has", result_type=bool)

    async def waits(handle: WorkflowHandle[Any, Any]) -> bool:
        return await handle.query("waits") is not None

    async with lock_worker(client):
        first = await start("first")
        await eventually(lambda: has(first))
        second = await start("second")
        await eventually(lambda: waits(second))
    await throw_away()
    assert complaints == []
    async with lock_worker(client):
        for one in (first, second):
            await eventually(lambda one=one: has(one))
            await one.signal("enough")
            assert await one.result() == "given back"


async def test_a_goal_whose_approved_step_is_carried_out(client: Client, tmp_path: Path, complaints: list[str]) -> None:
    house = StackSessions(client, tmp_path, Stack())
    async with house.at_work(destructive=False):
        goal = await client.start_workflow(
            "PreviewAndUp",
            UP,
            id=f"PreviewAndUp-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=StackResult,
        )
        await house.approved(goal)
        await rests(goal, "pulumi.update_stack")
    await throw_away()
    assert complaints == []
    async with house.at_work():
        result = await goal.result()
    assert (result.outcome, house.stack.names().count("update")) == ("completed", 1)


async def test_a_goal_that_is_parked_and_the_notice_of_it(client: Client, complaints: list[str]) -> None:
    teller, steps = Teller(), exhausted()
    async with workers(client, steps), teller.at_work(client):
        goal = await client.start_workflow(
            "ReadFile",
            ReadFileInput(repository="acme/shop", path="README.md"),
            id=f"ReadFile-{secrets.token_hex(4)}",
            task_queue=TaskQueue.GOALS,
            result_type=ReadFileResult,
        )
        notice = await until_told(client, goal)
    await throw_away()
    assert complaints == []
    async with workers(client, steps), teller.at_work(client):
        await goal.execute_update("resume", Resume(note="unsealed"))
        assert (await goal.result()).content == "hello"
        await notice.result()
    await throw_away()
    assert complaints == []
    assert teller.said == ["parked", "over"]
