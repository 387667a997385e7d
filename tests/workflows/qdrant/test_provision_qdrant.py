"""The goal `ProvisionQdrant`: what is approved, what is waited for, and what becomes of keys that do not open."""

from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.approvals.contracts import RESOLVE_RULE
from activities.guard.error_types import ErrorType
from activities.qdrant.contracts import (
    BUY_CLUSTER,
    CHECK_DATABASE,
    CREATE_CLUSTER,
    ISSUE_KEYS,
    LOOK_AT_CLUSTER,
    QUOTE_CLUSTER,
    BuyClusterParameters,
    DatabaseAnswers,
)
from activities.queues import TaskQueue
from hitl.approval.plan import Cost
from hitl.protocol import PolicyContext
from tests.workflows.approval.approving import House
from tests.workflows.played import Answers, playing
from tests.workflows.qdrant.scenarios import (
    ADOPTED,
    BOUGHT,
    CREATING,
    DENIED,
    FAILED,
    HEALTHY,
    ISSUED,
    NOBODY,
    NOT_BY_ITSELF,
    PAID,
    PROVIDED,
    REVOKED,
    TWO_NODES,
    WITH_BACKUPS,
    buy,
)
from workflows.contracts import GoalInput
from workflows.qdrant.goals import PROVISION_QDRANT, ProvisionQdrantInput, ProvisionQdrantResult

on_the_server = pytest.mark.asyncio(loop_scope="session")


async def provide(
    client: Client, goal_id: str, answers: Answers, request: GoalInput = PROVISION_QDRANT.example
) -> ProvisionQdrantResult:
    async with playing(client, answers):
        return await client.execute_workflow(
            PROVISION_QDRANT.name,
            request,
            id=goal_id,
            task_queue=TaskQueue.GOALS,
            result_type=ProvisionQdrantResult,
        )


@on_the_server
async def test_what_is_free_is_made_and_its_keys_are_in_vault(client: Client, goal_id: str) -> None:
    told = await provide(client, goal_id, PROVIDED, WITH_BACKUPS)
    assert (told.outcome, told.cluster, told.url, told.usd_a_month) == ("completed", "c-1", HEALTHY.url, 0)
    assert (told.reader, told.writer) == (ISSUED.reader, ISSUED.writer)


@on_the_server
async def test_a_cluster_is_waited_for_until_it_serves(client: Client, goal_id: str) -> None:
    told = await provide(client, goal_id, {**PROVIDED, LOOK_AT_CLUSTER: [CREATING, HEALTHY]})
    assert (told.outcome, told.url) == ("completed", HEALTHY.url)


@on_the_server
async def test_one_that_does_not_come_up_is_told_with_its_id(client: Client, goal_id: str) -> None:
    told = await provide(client, goal_id, {**PROVIDED, LOOK_AT_CLUSTER: [FAILED]})
    assert (told.outcome, told.cluster, told.reader) == ("partially_applied", "c-1", None)
    assert "FAILED_TO_CREATE: no capacity" in str(told.reason)


@on_the_server
async def test_the_goals_own_cluster_is_not_made_again(client: Client, goal_id: str) -> None:
    there = PAID.model_copy(update={"existing": "c-1"})
    answers = {step: said for step, said in PROVIDED.items() if step is not CREATE_CLUSTER}
    told = await provide(client, goal_id, {**answers, QUOTE_CLUSTER: [there]})
    assert (told.outcome, told.cluster) == ("completed", "c-1")


@on_the_server
async def test_keys_that_open_nothing_are_issued_anew_once(client: Client, goal_id: str) -> None:
    opens = DatabaseAnswers(collections=0)
    told = await provide(client, goal_id, {**PROVIDED, ISSUE_KEYS: [ADOPTED, ISSUED], CHECK_DATABASE: [REVOKED, opens]})
    assert (told.outcome, told.reader) == ("completed", ISSUED.reader)


@on_the_server
async def test_keys_that_were_just_issued_and_open_nothing_are_a_failure(client: Client, goal_id: str) -> None:
    with pytest.raises(WorkflowFailureError) as told:
        await provide(client, goal_id, {**PROVIDED, CHECK_DATABASE: [REVOKED]})
    assert isinstance(told.value.cause, ApplicationError)
    assert told.value.cause.type == ErrorType.AUTH_DENIED


@on_the_server
async def test_nothing_is_asked_for_that_costs_more_than_it_may(client: Client, goal_id: str) -> None:
    request = TWO_NODES.model_copy(update={"most_usd": 59})
    told = await provide(client, goal_id, {QUOTE_CLUSTER: [PAID]}, request)
    assert (told.outcome, told.cluster, told.usd_a_month) == ("refused", None, 60)
    assert "would cost 60 US dollars in a month, and may cost 59" in str(told.reason)


@on_the_server
async def test_what_the_policy_lets_a_goal_buy_it_buys_by_itself(client: Client, goal_id: str) -> None:
    told = await provide(client, goal_id, {**PROVIDED, QUOTE_CLUSTER: [PAID]}, TWO_NODES)
    assert (told.outcome, told.cluster, told.usd_a_month) == ("completed", "c-1", 60)


@on_the_server
async def test_people_are_asked_only_where_a_rule_is_what_denies_it(client: Client, goal_id: str) -> None:
    told = await provide(client, goal_id, {QUOTE_CLUSTER: [PAID], CREATE_CLUSTER: [DENIED]}, TWO_NODES)
    assert (told.outcome, told.reason) == ("denied", "no clusters here")


@on_the_server
async def test_where_nobody_may_approve_it_is_denied(client: Client, goal_id: str) -> None:
    answers = {QUOTE_CLUSTER: [PAID], CREATE_CLUSTER: [NOT_BY_ITSELF], RESOLVE_RULE: [NOBODY]}
    told = await provide(client, goal_id, answers, TWO_NODES)
    assert (told.outcome, told.reason) == ("denied", "Nobody can approve it.")


@on_the_server
async def test_people_are_asked_for_exactly_what_it_costs(client: Client, tmp_path: Path, goal_id: str) -> None:
    goal, plan = await buy(House(client, tmp_path, action=BUY_CLUSTER.name), goal_id, BOUGHT)
    told = await goal.result()
    assert (told.outcome, told.cluster, told.usd_a_month) == ("completed", "c-1", 60)
    assert plan.cost == Cost(usd_cents=8, per="hour")
    assert plan.policy_context() == PolicyContext(resource="shop-trial", cost=60)
    assert plan.parameters_as(BuyClusterParameters) == BuyClusterParameters(
        resource="shop-trial",
        provider="aws",
        region="eu-central-1",
        package_id="p-2",
        nodes=2,
        millicents_per_hour=7_500,
    )
    assert plan.summary[1] == "It costs $0.07500 an hour, $60 a month at most, until somebody deletes it"


@on_the_server
async def test_what_was_bought_and_is_not_what_was_approved_is_in_doubt(
    client: Client, tmp_path: Path, goal_id: str
) -> None:
    goal, _ = await buy(House(client, tmp_path, action=BUY_CLUSTER.name), goal_id, HEALTHY)
    with pytest.raises(WorkflowFailureError) as told:
        await goal.result()
    assert isinstance(told.value.cause, ApplicationError)
    assert told.value.cause.type == ErrorType.OUTCOME_UNKNOWN


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../x"},
        {"name": "a b"},
        {"name": ""},
        {"region": "EU Central"},
        {"nodes": 0},
        {"backup_days": 366},
        {"size": "x"},
    ],
)
def test_an_input_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ProvisionQdrantInput.model_validate({**PROVISION_QDRANT.example.model_dump(), **wrong})


def test_it_is_asked_for_by_its_name() -> None:
    assert PROVISION_QDRANT.example.business_key() == "provision-qdrant/shop-trial"
