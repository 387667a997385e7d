"""The goal `InspectRedis`: what it tells, and how it ends when it may not look, or finds nothing."""

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from activities.upstash.contracts import LOOK_AT_DATABASE
from tests.workflows.played import playing
from tests.workflows.upstash.scenarios import DENIED, SEEN
from workflows.upstash.goals import INSPECT_REDIS, InspectRedisInput, InspectRedisResult

on_the_server = pytest.mark.asyncio(loop_scope="session")


async def inspect(client: Client, goal_id: str) -> InspectRedisResult:
    return await client.execute_workflow(
        INSPECT_REDIS.name,
        INSPECT_REDIS.example,
        id=goal_id,
        task_queue=TaskQueue.GOALS,
        result_type=InspectRedisResult,
    )


@on_the_server
async def test_what_was_seen_is_told(client: Client, goal_id: str) -> None:
    async with playing(client, {LOOK_AT_DATABASE: [SEEN]}):
        told = await inspect(client, goal_id)
    assert told.outcome == "completed"
    assert (told.database, told.id, told.read_regions, told.budget) == ("shop-cache", "id-1", ("eu-west-1",), 20)


@on_the_server
async def test_a_refusal_is_a_result(client: Client, goal_id: str) -> None:
    async with playing(client, {LOOK_AT_DATABASE: [DENIED]}):
        told = await inspect(client, goal_id)
    assert (told.outcome, told.reason, told.id) == ("denied", "shop-cache is not to be looked at", None)


@on_the_server
async def test_one_that_is_not_there_is_a_failure_that_says_so(client: Client, goal_id: str) -> None:
    gone = application_error(ErrorType.NOT_FOUND, "Upstash has no database 'shop-cache' in this account")
    async with playing(client, {LOOK_AT_DATABASE: [gone]}):
        with pytest.raises(WorkflowFailureError) as told:
            await inspect(client, goal_id)
    assert isinstance(told.value.cause, ApplicationError)
    assert (told.value.cause.type, told.value.cause.message) == (ErrorType.NOT_FOUND, gone.message)


@pytest.mark.parametrize("name", ["", "../x", "-x", "a" * 101, "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="database"):
        InspectRedisInput(database=name)
