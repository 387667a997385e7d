"""A parked goal goes on by itself, and has people told of it once, on a server whose clock is skipped ahead."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from activities.guard.error_types import ErrorType, application_error
from activities.presets import pause_of_parked
from activities.queues import TaskQueue
from tests.replay.scenarios import until_parked
from tests.workflows.approval.telling import TOLD, Teller, ends, notices, until_told
from tests.workflows.pulumi.stacking import INSPECT, Stack, StackSessions
from tests.workflows.scripted import CONTENT, RAN, Steps, workers
from workflows.contracts import Resume
from workflows.repository.goals import ReadFileInput, ReadFileResult, RunInSandboxInput, RunInSandboxResult

REQUEST = RunInSandboxInput(repository="acme/shop", command=("make", "test"), timeout_seconds=60)
GONE = application_error(ErrorType.SANDBOX_UNAVAILABLE, "the engine is gone")
SEALED = application_error(ErrorType.UNAVAILABLE, "Vault is sealed", retry_after=timedelta(days=1))
COMPLETED = WorkflowExecutionStatus.COMPLETED


async def test_it_goes_on_when_its_cause_is_gone_and_nobody_came(skipping: WorkflowEnvironment, goal_id: str) -> None:
    steps = Steps(ran=[*[GONE] * 6, RAN])
    async with workers(skipping.client, steps), Teller().at_work(skipping.client):
        handle = await skipping.client.start_workflow(
            "RunInSandbox", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=RunInSandboxResult
        )
        assert (await handle.result()).exit_code == 0
        history = await handle.fetch_history()
    waited = [
        one.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for one in history.events
        if one.event_type == EventType.EVENT_TYPE_TIMER_STARTED
    ]
    assert waited == [pause_of_parked(0), pause_of_parked(1)]
    assert len(steps.commands) == 7


async def test_people_are_told_once_however_often_it_tries_by_itself(
    skipping: WorkflowEnvironment, goal_id: str
) -> None:
    client, teller = skipping.client, Teller()
    async with workers(client, Steps(ran=[*[GONE] * 9, RAN])), teller.at_work(client):
        goal = await client.start_workflow("RunInSandbox", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS)
        await goal.result()
        assert await ends(client, goal) == [COMPLETED]
    assert teller.said == ["parked", "over"]
    assert teller.asked[0].step == "sandbox.run_command"
    assert teller.asked[1].posted == TOLD


async def test_a_look_at_a_stack_that_parks_again_and_again_is_told_once(
    skipping: WorkflowEnvironment, goal_id: str, tmp_path: Path
) -> None:
    """Each of its tries has a step before it that succeeds."""
    client, teller = skipping.client, Teller()
    stack = Stack(outputs=[*[GONE] * 7, *Stack().outputs])
    async with StackSessions(client, tmp_path, stack).at_work(teller=teller):
        goal = await client.start_workflow("InspectStack", INSPECT, id=goal_id, task_queue=TaskQueue.GOALS)
        await goal.result()
        assert await ends(client, goal) == [COMPLETED]
    assert stack.names().count("outputs") == 8
    assert teller.said == ["parked", "over"]


async def test_where_people_could_not_be_told_they_are_when_it_parks_the_next_time(
    skipping: WorkflowEnvironment, goal_id: str
) -> None:
    refused = application_error(ErrorType.INVALID_REQUEST, "the policy names no channel")
    client, teller = skipping.client, Teller(answers=[refused, TOLD.model_copy(update={"ts": ""}), TOLD])
    async with workers(client, Steps(ran=[*[GONE] * 12, RAN])), teller.at_work(client):
        goal = await client.start_workflow("RunInSandbox", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS)
        await goal.result()
        assert await ends(client, goal) == [COMPLETED] * 3
    assert teller.said == ["parked", "parked", "parked", "over"]


@pytest.mark.asyncio(loop_scope="session")
async def test_one_that_a_person_resumed_and_that_parks_again_is_told_again(client: Client, goal_id: str) -> None:
    teller, request = Teller(), ReadFileInput(repository="acme/shop", path="README.md")
    async with workers(client, Steps(answers=[SEALED, SEALED, CONTENT])), teller.at_work(client):
        goal = await client.start_workflow(
            "ReadFile", request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
        )
        for _ in range(2):
            await until_parked(goal)
            await goal.execute_update("resume", Resume(note="unsealed"))
        assert (await goal.result()).content == "hello"
        assert await ends(client, goal) == [COMPLETED] * 2
    assert sorted(teller.said) == ["over", "over", "parked", "parked"]


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("end", ["cancel", "terminate"])
async def test_people_hear_that_it_is_over_however_it_ended(client: Client, goal_id: str, end: str) -> None:
    teller, request = Teller(), ReadFileInput(repository="acme/shop", path="README.md")
    async with workers(client, Steps(answers=[SEALED])), teller.at_work(client):
        goal = await client.start_workflow("ReadFile", request, id=goal_id, task_queue=TaskQueue.GOALS)
        await until_told(client, goal)  # of one that ends before, people have heard nothing
        await getattr(goal, end)()
        assert await ends(client, goal) == [COMPLETED]
    assert teller.said == ["parked", "over"]


@pytest.mark.asyncio(loop_scope="session")
async def test_without_a_gateway_it_goes_on(client: Client, goal_id: str) -> None:
    request = ReadFileInput(repository="acme/shop", path="README.md")
    async with workers(client, Steps(answers=[SEALED, CONTENT])):
        goal = await client.start_workflow(
            "ReadFile", request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
        )
        await until_parked(goal)
        await goal.execute_update("resume", Resume(note="unsealed"))
        assert (await goal.result()).content == "hello"
        [notice] = await notices(client, goal)
        assert (await notice.describe()).status is WorkflowExecutionStatus.RUNNING, "it waits for a gateway, alone"
        await notice.terminate()


def test_it_waits_longer_each_time_up_to_hours() -> None:
    pauses = [pause_of_parked(times) for times in range(40)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (timedelta(minutes=1), timedelta(minutes=2), timedelta(hours=4))
