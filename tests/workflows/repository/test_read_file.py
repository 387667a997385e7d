"""The goal `ReadFile` on the real dev server, its step scripted."""

import json
import shlex

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.replay.scenarios import exhausted, until_parked
from tests.workflows.scripted import CONTENT, Steps, workers
from workflows.contracts import REPOSITORY_ATTRIBUTE, STATE_ATTRIBUTE, GoalStatus, Resume, State
from workflows.repository.goals import ReadFileInput, ReadFileResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUEST = ReadFileInput(repository="acme/shop", path="README.md")


async def test_the_file_is_the_result(client: Client, steps: Steps, goal_id: str) -> None:
    async with workers(client, steps):
        result = await client.execute_workflow(
            "ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
        )
    assert (result.outcome, result.content, result.commit) == ("completed", "hello", CONTENT.commit)
    assert [call.path for call in steps.calls] == ["README.md"]


async def test_people_find_it_and_read_its_story(client: Client, steps: Steps, goal_id: str) -> None:
    async with workers(client, steps):
        handle = await client.start_workflow("ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS)
        await handle.result()
        described = await handle.describe()
        history = await handle.fetch_history()
    assert described.typed_search_attributes[REPOSITORY_ATTRIBUTE] == "acme/shop"
    assert described.typed_search_attributes[STATE_ATTRIBUTE] == State.COMPLETED
    summaries = [
        event.user_metadata.summary.data for event in history.events if event.user_metadata.HasField("summary")
    ]
    assert b'"Read README.md of acme/shop"' in summaries


async def test_a_refusal_is_a_result(client: Client, steps: Steps, goal_id: str) -> None:
    steps.answers = [application_error(ErrorType.POLICY_DENIED, "acme/shop is not to be read")]
    async with workers(client, steps):
        handle = await client.start_workflow(
            "ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
        )
        result = await handle.result()
        described = await handle.describe()
    assert (result.outcome, result.reason) == ("denied", "acme/shop is not to be read")
    assert described.typed_search_attributes[STATE_ATTRIBUTE] == State.DENIED


@pytest.mark.parametrize("error", [ErrorType.NOT_FOUND, ErrorType.AUTH_DENIED, ErrorType.INVALID_REQUEST])
async def test_what_no_retry_mends_ends_the_goal_with_its_own_words(
    client: Client, steps: Steps, goal_id: str, error: ErrorType
) -> None:
    steps.answers = [application_error(error, "there is no such file; look again")]
    async with workers(client, steps):
        with pytest.raises(WorkflowFailureError) as caught:
            await client.execute_workflow("ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message) == (error, "there is no such file; look again")
    assert len(steps.calls) == 1


async def test_an_outage_is_waited_out(client: Client, steps: Steps, goal_id: str) -> None:
    steps.answers = [application_error(ErrorType.UNAVAILABLE, "Vault is sealed"), CONTENT]
    async with workers(client, steps):
        result = await client.execute_workflow(
            "ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
        )
    assert result.content == "hello"
    assert len(steps.calls) == 2


async def test_a_goal_whose_provider_stays_away_parks_and_goes_on_when_a_person_says_so(
    client: Client, goal_id: str
) -> None:
    steps = exhausted()
    async with workers(client, steps):
        handle = await client.start_workflow(
            "ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
        )
        parked = await until_parked(handle)
        described = await handle.describe()
        assert parked.waiting_for == "Vault is sealed"
        assert described.typed_search_attributes[STATE_ATTRIBUTE] == State.PARKED
        after = await handle.execute_update("resume", Resume(note="unsealed"), result_type=GoalStatus)
        result = await handle.result()
    assert after.step == "Read README.md of acme/shop"
    assert (result.outcome, result.content) == ("completed", "hello")
    assert len(steps.calls) == 2


async def test_temporal_shows_the_command_that_lets_a_parked_goal_go_on_so_that_it_can_be_pasted(
    client: Client, goal_id: str
) -> None:
    name = f"read $(it)/{goal_id}"
    async with workers(client, exhausted()):
        handle = await client.start_workflow("ReadFile", REQUEST, id=name, task_queue=TaskQueue.GOALS)
        await until_parked(handle)
        told: RawValue = await handle.query("__temporal_workflow_metadata", result_type=RawValue)
        await handle.terminate()
    details = json.loads(told.payload.data)["currentDetails"]
    assert f"`banksman resume {shlex.quote(name)}`" in details


async def test_only_a_parked_goal_is_resumed(client: Client, steps: Steps, goal_id: str) -> None:
    steps.answers = [application_error(ErrorType.UNAVAILABLE, "Vault is sealed")]
    async with workers(client, steps):
        handle = await client.start_workflow("ReadFile", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS)
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update("resume", Resume())
        await handle.terminate()
    assert isinstance(caught.value.cause, ApplicationError)
    assert "not parked" in caught.value.cause.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ({"repository": "acme/shop"}, "field 'path' is missing"),
        ({"repository": "acme/shop", "path": "x", "branch": "y"}, "field 'branch' is unknown"),
        ({"repository": "shop", "path": "x"}, "'shop' is not OWNER/NAME"),
        ({"repository": "acme/shop", "path": "../x"}, "is not a path inside the repository"),
        ([1, 2], "ReadFileInput"),
        ("README.md", "ReadFileInput"),
    ],
)
async def test_a_bad_input_ends_the_goal_with_one_line(
    client: Client, steps: Steps, goal_id: str, text: object, says: str
) -> None:
    async with workers(client, steps):
        with pytest.raises(WorkflowFailureError) as caught:
            await client.execute_workflow("ReadFile", text, id=goal_id, task_queue=TaskQueue.GOALS)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorType.INVALID_REQUEST
    assert says in cause.message
    assert "\n" not in cause.message
    assert steps.calls == []


@pytest.mark.parametrize("inputs", [[], [REQUEST, REQUEST], [None]])
async def test_a_goal_takes_exactly_one_input(client: Client, steps: Steps, goal_id: str, inputs: list[object]) -> None:
    async with workers(client, steps):
        with pytest.raises(WorkflowFailureError) as caught:
            await client.execute_workflow("ReadFile", args=inputs, id=goal_id, task_queue=TaskQueue.GOALS)
    assert isinstance(caught.value.cause, ApplicationError)
    assert "ReadFile" in caught.value.cause.message


async def test_an_unknown_goal_is_told_apart(client: Client, steps: Steps, goal_id: str) -> None:
    async with workers(client, steps):
        with pytest.raises(WorkflowFailureError) as caught:
            await client.execute_workflow("ReadFiel", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == ErrorType.NOT_FOUND
    assert "no goal 'ReadFiel'" in caught.value.cause.message
