"""The goal `RemoveQdrant` on the real dev server, its steps scripted; people click."""

from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.qdrant.contracts import LOOK_AT_CLUSTER
from activities.qdrant.removal_contracts import (
    DELETE_CLUSTER,
    FORGET_CLUSTER,
    INSPECT_CLUSTER,
    ClusterDeleted,
    DeleteClusterParameters,
)
from activities.queues import TaskQueue
from hitl.protocol import PolicyContext
from tests.workflows.approval.approving import House
from tests.workflows.played import playing
from tests.workflows.qdrant.scenarios import DENIED, GONE, INSPECTED, REMOVED, remove
from workflows.qdrant.goals import REMOVE_QDRANT, RemoveQdrantInput, RemoveQdrantResult

pytestmark = pytest.mark.asyncio(loop_scope="session")
FORGOTTEN = ("qdrant/readers/shop-old", "qdrant/writers/shop-old")


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path, action=DELETE_CLUSTER.name)


async def test_it_goes_once_people_approved_exactly_it_and_its_keys_are_forgotten(house: House, goal_id: str) -> None:
    goal, plan = await remove(house, goal_id, {})
    told = await goal.result()
    assert (told.outcome, told.id, told.name, told.already_gone) == ("completed", "c-1", "shop-old", False)
    assert (told.forgotten, told.backups) == (FORGOTTEN, INSPECTED.backups)
    assert plan.parameters_as(DeleteClusterParameters) == DeleteClusterParameters(resource="shop-old", cluster="c-1")
    assert plan.policy_context() == PolicyContext(resource="shop-old")
    assert "2 backups stay at Qdrant Cloud" in plan.summary[2]
    assert plan.summary[3] == INSPECTED.backups[0]


async def test_where_there_is_no_backup_the_plan_says_so(house: House, goal_id: str) -> None:
    bare = INSPECTED.model_copy(update={"backups": (), "all_backups": 0})
    _, plan = await remove(house, goal_id, {INSPECT_CLUSTER: [bare]})
    assert plan.summary[-1] == "There is no backup of it: nothing brings it back"


async def test_one_that_somebody_deleted_while_people_decided_is_told_and_forgotten(house: House, goal_id: str) -> None:
    goal, _ = await remove(house, goal_id, {DELETE_CLUSTER: [ClusterDeleted(name="shop-old", already_gone=True)]})
    told = await goal.result()
    assert (told.outcome, told.already_gone, told.forgotten) == ("completed", True, FORGOTTEN)
    assert "somebody deleted it before" in str(told.reason)


async def test_what_is_said_to_be_gone_and_is_not_is_in_doubt_and_its_keys_stay(house: House, goal_id: str) -> None:
    said = {LOOK_AT_CLUSTER: [DENIED], FORGET_CLUSTER: [application_error(ErrorType.CONFLICT, "not to be called")]}
    goal, _ = await remove(house, goal_id, said)
    with pytest.raises(WorkflowFailureError) as failed:
        await goal.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorType.OUTCOME_UNKNOWN


async def test_a_refusal_after_the_deletion_tells_what_was_deleted(house: House, goal_id: str) -> None:
    goal, _ = await remove(house, goal_id, {FORGET_CLUSTER: [DENIED]})
    told = await goal.result()
    assert (told.outcome, told.id, told.name, told.forgotten) == ("denied", "c-1", "shop-old", ())


async def test_one_that_is_not_there_asks_nobody_and_its_keys_are_forgotten(client: Client, goal_id: str) -> None:
    async with playing(client, {**REMOVED, INSPECT_CLUSTER: [GONE]}):
        told: RemoveQdrantResult = await client.execute_workflow(
            REMOVE_QDRANT.name,
            REMOVE_QDRANT.example,
            id=goal_id,
            task_queue=TaskQueue.GOALS,
            result_type=RemoveQdrantResult,
        )
    assert (told.outcome, told.id, told.already_gone, told.forgotten) == ("completed", None, True, FORGOTTEN)


async def test_asking_twice_is_one_goal_and_an_emergency_is_its_own() -> None:
    assert REMOVE_QDRANT.example.business_key() == "remove-qdrant/shop-old"
    in_need = RemoveQdrantInput(cluster="shop-old", break_glass=True)
    assert in_need.business_key() == "remove-qdrant-break-glass/shop-old"
    assert in_need.summary().startswith("BREAK GLASS: ")
    with pytest.raises(ValueError, match="cluster"):
        RemoveQdrantInput(cluster="../x")
