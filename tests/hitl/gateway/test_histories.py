"""What the gateway tells of goals: types, times, ends and reasons, and nothing that went in or came out."""

import contextlib
import secrets
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from connectors.errors import InvalidRequest
from hitl.gateway.histories import HistorySteps
from hitl.gateway.server import Server
from tests.workflows.scripted import Steps, workers
from workflows.agent.history_contracts import (
    FIND_GOALS,
    READ_HISTORY,
    FindGoalsRequest,
    GoalsFound,
    HistoryRead,
    ReadHistoryRequest,
)
from workflows.implementations import WORKFLOWS
from workflows.repository.goals import ReadFileInput, ReadFileResult

pytestmark = pytest.mark.asyncio(loop_scope="session")
SECRET = "ghp_" + "a1B2" * 9
GONE = application_error(ErrorType.NOT_FOUND, f"no file, tried with {SECRET}")


async def read(client: Client, goal: str) -> HistoryRead:
    steps = HistorySteps(Server(client, cluster="c"))
    assert READ_HISTORY.queue == TaskQueue.HITL
    return await ActivityEnvironment().run(steps.read_history, ReadHistoryRequest(goal=goal))


async def find(client: Client, **asked: Any) -> GoalsFound:
    steps = HistorySteps(Server(client, cluster="c"))
    assert FIND_GOALS.queue == TaskQueue.HITL
    return await ActivityEnvironment().run(steps.find_goals, FindGoalsRequest(**asked))


async def ended(client: Client, steps: Steps, *, queue: str = TaskQueue.GOALS) -> str:
    goal = f"read it/{secrets.token_hex(4)}"
    handle = await client.start_workflow(
        "ReadFile",
        ReadFileInput(repository="acme/shop", path="hidden-input.md"),
        id=goal,
        task_queue=queue,
        result_type=ReadFileResult,
    )
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()
    return goal


async def test_what_a_goal_did_is_told_without_what_went_in_or_came_out(client: Client) -> None:
    async with workers(client, Steps()):
        goal = await ended(client, Steps())
        told = await read(client, goal)
    assert (told.goal, told.name, told.state, told.repository) == (goal, "ReadFile", "completed", "acme/shop")
    assert [(one.name, one.ended, one.attempts) for one in told.steps] == [("github.read_file", "completed", 1)]
    assert (told.started <= told.ended, told.steps[0].at >= told.started) == (True, True)
    whole = told.model_dump_json()
    assert ("hidden-input" in whole, "hello" in whole) == (False, False)


async def test_a_failed_one_says_why_without_secrets(client: Client) -> None:
    steps = Steps(answers=[GONE])
    async with workers(client, steps):
        told = await read(client, await ended(client, steps))
    assert (told.state, told.steps[0].ended) == ("failed", "failed")
    assert told.steps[0].why.startswith("NotFound: no file, tried with")
    assert SECRET not in told.model_dump_json()
    assert "no file" in told.reason


async def test_only_goals_on_their_own_queue_are_told_of(client: Client) -> None:
    assert not (await read(client, "nowhere/at-all")).found
    elsewhere = f"elsewhere-{secrets.token_hex(4)}"
    async with Worker(client, task_queue=elsewhere, workflows=WORKFLOWS), workers(client, Steps()):
        pretended = await ended(client, Steps(), queue=elsewhere)
        assert not (await read(client, pretended)).found


async def test_goals_are_found_by_name_state_and_repository_and_names_are_no_query(client: Client) -> None:
    async with workers(client, Steps()):
        goal = await ended(client, Steps())

    async def found(**asked: Any) -> list[str]:
        return [one.goal for one in (await find(client, **asked)).goals]

    for _ in range(50):  # the list follows the end
        if goal in await found(name="ReadFile", state="completed", repository="acme/shop"):
            break
    assert goal in await found(name="ReadFile", state="completed", repository="acme/shop")
    assert goal not in await found(state="failed")
    assert await found(state="x' OR WorkflowId != '") == []
    with pytest.raises(InvalidRequest, match="there is no goal 'Rm'"):
        await find(client, name="Rm")
