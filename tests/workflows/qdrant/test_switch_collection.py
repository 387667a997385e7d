"""The goal `SwitchCollection`: nothing that serves is touched before the new collection is seen to serve."""

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.qdrant.collection_contracts import (
    CREATE_COLLECTION,
    LOOK_AT_ALIAS,
    SWITCH_ALIAS,
    VERIFY_COLLECTION,
    AliasSeen,
)
from activities.queues import TaskQueue
from tests.workflows.played import Answers, playing
from tests.workflows.qdrant.scenarios import AFTER, BEFORE, SERVES, SWITCHED, WITH_SNAPSHOT
from workflows.contracts import GoalInput
from workflows.qdrant.goals import SWITCH_COLLECTION, SwitchCollectionInput, SwitchCollectionResult

on_the_server = pytest.mark.asyncio(loop_scope="session")
NEVER = application_error(ErrorType.INVALID_REQUEST, "this step was not to be taken")


async def switch(
    client: Client, goal_id: str, answers: Answers, request: GoalInput = SWITCH_COLLECTION.example
) -> SwitchCollectionResult:
    async with playing(client, answers):
        return await client.execute_workflow(
            SWITCH_COLLECTION.name,
            request,
            id=goal_id,
            task_queue=TaskQueue.GOALS,
            result_type=SwitchCollectionResult,
        )


async def failing(client: Client, goal_id: str, answers: Answers) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as told:
        await switch(client, goal_id, answers)
    assert isinstance(told.value.cause, ApplicationError)
    return told.value.cause


@on_the_server
async def test_it_is_built_verified_and_switched(client: Client, goal_id: str) -> None:
    told = await switch(client, goal_id, SWITCHED, WITH_SNAPSHOT)
    assert (told.outcome, told.built, told.previous, told.points) == ("completed", True, "products-v1", 20_000)
    assert told.snapshot == "products-v1.snapshot"


@on_the_server
async def test_a_collection_that_is_there_is_not_built(client: Client, goal_id: str) -> None:
    there = BEFORE.model_copy(update={"exists": True})
    answers = {**SWITCHED, LOOK_AT_ALIAS: [there, AFTER], CREATE_COLLECTION: [NEVER]}
    told = await switch(client, goal_id, answers)
    assert (told.outcome, told.built, told.previous) == ("completed", False, "products-v1")


@on_the_server
async def test_an_alias_that_stands_for_it_already_is_left(client: Client, goal_id: str) -> None:
    told = await switch(client, goal_id, {**SWITCHED, LOOK_AT_ALIAS: [AFTER], VERIFY_COLLECTION: [NEVER]})
    assert (told.outcome, told.previous) == ("completed", None)


@on_the_server
@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"points": 19_999}, "products-v2 has 19999 points, and products-v1 has 20000"),
        ({"found": 3}, "was searched for 5 of its own points and found 3"),
    ],
)
async def test_what_does_not_serve_is_not_switched_to(
    client: Client, goal_id: str, found: dict[str, int], says: str
) -> None:
    answers = {**SWITCHED, VERIFY_COLLECTION: [SERVES.model_copy(update=found)], SWITCH_ALIAS: [NEVER]}
    told = await switch(client, goal_id, answers)
    assert (told.outcome, told.built) == ("refused", True)
    assert says in str(told.reason)
    assert "products still stands for products-v1" in str(told.reason)


@on_the_server
async def test_fewer_points_are_enough_where_that_is_said(client: Client, goal_id: str) -> None:
    request = SWITCH_COLLECTION.example.model_copy(update={"fewest_points": 100})
    fewer = SERVES.model_copy(update={"points": 100})
    assert (await switch(client, goal_id, {**SWITCHED, VERIFY_COLLECTION: [fewer]}, request)).outcome == "completed"


@on_the_server
async def test_what_cannot_be_is_a_failure_that_says_so(client: Client, goal_id: str) -> None:
    shadowed = AliasSeen(behind=None, exists=False, shadowed=True)
    told = await failing(client, goal_id, {**SWITCHED, LOOK_AT_ALIAS: [shadowed]})
    assert (told.type, "no alias can be" in told.message) == (ErrorType.INVALID_REQUEST, True)
    nothing = AliasSeen(behind=None, exists=False)
    told = await failing(client, f"{goal_id}/2", {**SWITCHED, LOOK_AT_ALIAS: [nothing]})
    assert (told.type, "nothing to build it from" in told.message) == (ErrorType.NOT_FOUND, True)


@on_the_server
async def test_a_switch_that_only_says_that_it_is_done_is_in_doubt(client: Client, goal_id: str) -> None:
    told = await failing(client, goal_id, {**SWITCHED, LOOK_AT_ALIAS: [BEFORE, BEFORE]})
    assert told.type == ErrorType.OUTCOME_UNKNOWN


@pytest.mark.parametrize(
    "wrong", [{"alias": "products-v2"}, {"collection": "a/b"}, {"indexes": {"f": "vector"}}, {"cluster": "../x"}]
)
def test_an_input_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"alias|collection|indexes|cluster"):
        SwitchCollectionInput.model_validate({**SWITCH_COLLECTION.example.model_dump(), **wrong})
