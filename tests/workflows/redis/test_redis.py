"""The goals `ProvisionRedis` and `RemoveRedis` on the real dev server, their steps scripted; people click."""

import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from activities.approvals.contracts import RESOLVE_RULE
from activities.guard.error_types import ErrorType
from activities.guard.grants import ClickCheck
from activities.guard.policy_source import PolicySource
from activities.queues import TaskQueue
from activities.redis.contracts import DatabaseDeleted, LoginsForgotten
from activities.upstash.contracts import DATABASES
from hitl.approval.decision import Verdict
from hitl.approval.plan import read_plan
from tests.workflows.approval.approving import House
from tests.workflows.played import Answers, playing
from tests.workflows.redis.scenarios import (
    CHECKED,
    DENIED,
    GONE,
    GRANTED,
    MADE,
    NAME,
    NOBODY,
    PENDING,
    PRICED,
    SEEN,
)
from workflows.approval.decision_checks import DecisionChecks
from workflows.contracts import GoalResult
from workflows.goal_type import GoalType
from workflows.redis.goals import (
    PROVISION_REDIS,
    REMOVE_REDIS,
    Consumer,
    ProvisionRedisInput,
    ProvisionRedisResult,
    RedisProvider,
    RemoveRedisInput,
    RemoveRedisResult,
)

on_the_server = pytest.mark.asyncio(loop_scope="session")
USED = {DATABASES.grant: [GRANTED], DATABASES.check: [CHECKED]}


async def started(client: Client, goal: GoalType, goal_id: str) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        goal.name,
        goal.example,
        id=goal_id,
        task_queue=TaskQueue.GOALS,
        result_type=goal.result,
        execution_timeout=timedelta(minutes=2),
    )


async def run(client: Client, goal: GoalType, goal_id: str, answers: Answers) -> Any:
    async with playing(client, answers):
        return await (await started(client, goal, goal_id)).result()


@on_the_server
async def test_what_the_policy_lets_is_made_and_each_consumer_tried(client: Client, goal_id: str) -> None:
    answers = {DATABASES.price: [PRICED], DATABASES.create: [MADE], DATABASES.look: [PENDING, SEEN], **USED}
    told: ProvisionRedisResult = await run(client, PROVISION_REDIS, goal_id, answers)
    assert (told.outcome, told.name, told.id, told.usd_cents, told.tls) == ("completed", NAME, "id-1", 1000, True)
    assert [one.model_dump() for one in told.consumers] == [
        {"name": "shop-web", "user": "shop-web", "secret": "upstash/databases/id-1/shop-web"}
    ]


@on_the_server
async def test_nothing_is_asked_for_that_costs_more(client: Client, goal_id: str) -> None:
    costly = PRICED.model_copy(update={"usd_cents": 1001})
    told: ProvisionRedisResult = await run(client, PROVISION_REDIS, goal_id, {DATABASES.price: [costly]})
    assert (told.outcome, told.usd_cents, told.id) == ("refused", 1001, None)
    assert "would cost 10.01 USD in a month, and may cost 10" in str(told.reason)


@on_the_server
async def test_one_that_never_serves_is_told_as_paid_for(client: Client, goal_id: str) -> None:
    broken = SEEN.model_copy(update={"state": "error"})
    answers = {DATABASES.price: [PRICED], DATABASES.create: [MADE], DATABASES.look: [broken]}
    with pytest.raises(WorkflowFailureError) as told:
        await run(client, PROVISION_REDIS, goal_id, answers)
    assert isinstance(told.value.cause, ApplicationError)
    assert told.value.cause.type == ErrorType.OUTCOME_UNKNOWN
    assert "is paid for, and does not serve: it is error" in told.value.cause.message


@on_the_server
async def test_where_nobody_may_approve_it_is_denied(client: Client, goal_id: str) -> None:
    answers = {DATABASES.price: [PRICED], DATABASES.create: [DENIED], RESOLVE_RULE: [NOBODY]}
    told: ProvisionRedisResult = await run(client, PROVISION_REDIS, goal_id, answers)
    assert (told.outcome, told.reason) == ("denied", "Nobody can approve it.")


@contextlib.asynccontextmanager
async def asking(house: House, answers: Answers) -> AsyncGenerator[None]:
    """Workers of every queue, the rule that of the house's policy."""
    await house.keys.refresh()
    checks = DecisionChecks(ClickCheck(house.keys, PolicySource(house.path, environment="live"), cluster=house.cluster))
    async with playing(house.client, {RESOLVE_RULE: [house.resolved()], **answers}, interceptors=[checks]):
        yield


@on_the_server
@pytest.mark.parametrize("verdict", [Verdict.APPROVE, Verdict.REJECT])
async def test_what_the_policy_does_not_let_people_approve_at_its_price(
    client: Client, tmp_path: Path, goal_id: str, verdict: Verdict
) -> None:
    house = House(client, tmp_path, action=DATABASES.purchase.name)
    answers = {
        DATABASES.price: [PRICED],
        DATABASES.create: [DENIED],
        DATABASES.purchase: [MADE],
        DATABASES.look: [SEEN],
        **USED,
    }
    async with asking(house, answers):
        goal = await started(client, PROVISION_REDIS, goal_id)
        approval = await house.approval_of(goal)
        plan = read_plan(await client.get_workflow_handle(approval).query("plan", result_type=str))
        for person in ("alice", "bob")[: 2 if verdict is Verdict.APPROVE else 1]:
            why = "" if verdict is Verdict.APPROVE else "too dear"
            await house.decide(approval, person, verdict=verdict, reason=why)
        told = await goal.result()
    assert plan.cost is not None
    assert (plan.cost.usd_cents, plan.cost.per, plan.parameters["most_usd"]) == (1000, "month", 10)
    assert (told.outcome, told.id) == (("completed", "id-1") if verdict is Verdict.APPROVE else ("rejected", None))


@on_the_server
@pytest.mark.parametrize("gone", [True, False])
async def test_a_database_goes_once_people_approved_and_is_looked_for(
    client: Client, tmp_path: Path, goal_id: str, *, gone: bool
) -> None:
    house = House(client, tmp_path, action=DATABASES.delete.name)
    seen: list[object] = [SEEN, GONE if gone else DENIED]
    answers: Answers = {
        DATABASES.look: seen,
        DATABASES.delete: [DatabaseDeleted(name=NAME)],
        DATABASES.forget: [LoginsForgotten(consumers=("shop-web",))],
    }
    async with asking(house, answers):
        goal = await started(client, REMOVE_REDIS, goal_id)
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        if gone:
            told: RemoveRedisResult = await goal.result()
            assert (told.outcome, told.id, told.name) == ("completed", "id-1", NAME)
            assert told.forgotten == ("shop-web",)
        else:
            with pytest.raises(WorkflowFailureError) as failed:
                await goal.result()
            assert isinstance(failed.value.cause, ApplicationError)
            assert failed.value.cause.type == ErrorType.OUTCOME_UNKNOWN


@on_the_server
async def test_a_refusal_after_the_deletion_tells_what_was_deleted(
    client: Client, tmp_path: Path, goal_id: str
) -> None:
    house = House(client, tmp_path, action=DATABASES.delete.name)
    answers: Answers = {
        DATABASES.look: [SEEN, GONE],
        DATABASES.delete: [DatabaseDeleted(name=NAME)],
        DATABASES.forget: [DENIED],
    }
    async with asking(house, answers):
        goal = await started(client, REMOVE_REDIS, goal_id)
        approval = await house.approval_of(goal)
        for person in ("alice", "bob"):
            await house.decide(approval, person)
        told: RemoveRedisResult = await goal.result()
    assert (told.outcome, told.id, told.name, told.forgotten) == ("denied", "id-1", NAME, ())


def provision(**changes: object) -> GoalResult | ProvisionRedisInput:
    return ProvisionRedisInput.model_validate(PROVISION_REDIS.example.model_dump() | changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"region": ""}, "asks for a 'region'"),
        ({"provider": "rediscloud"}, "asks for a 'subscription'"),
        ({"name": "Cache"}, "name"),
        ({"name": "a" * 24}, "name"),
        ({"most_usd": -1}, "most_usd"),
        ({"consumers": ()}, "consumers"),
        ({"consumers": [{"name": "a-b", "prefix": "a:"}] * 2}, "two consumers have one name"),
        ({"consumers": [{"name": "a-b", "prefix": "*"}]}, "prefix"),
        ({"consumers": [{"name": "a-b", "prefix": "a:", "access": "admin"}]}, "access"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        provision(**changes)


def test_asking_twice_is_one_goal() -> None:
    assert PROVISION_REDIS.example.business_key() == "provision-redis/upstash/shop-sessions"
    in_need = RemoveRedisInput(provider=RedisProvider.UPSTASH, database="a", break_glass=True)
    assert in_need.business_key() == "remove-redis-break-glass/upstash/a"
    assert in_need.summary().startswith("BREAK GLASS: ")
    assert Consumer(name="a-b", prefix="a:").access == "write"
