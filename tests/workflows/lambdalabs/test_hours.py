"""The goal `LeaseGpu` over hours, on a server whose clock is skipped ahead: its end, and what comes before it."""

from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.guard.error_types import ErrorType
from tests.connectors.lambdalabs.conftest import KEY_CANARY
from tests.workflows.approval.approving import eventually
from tests.workflows.lambdalabs.at_lambda import NOTHING_LEFT, WANTED, AtLambda, lease_of, told, until_step


async def test_it_is_ended_when_its_hours_are_over(
    skipping: WorkflowEnvironment, lambda_labs: AtLambda, goal_id: str
) -> None:
    client = skipping.client
    async with lambda_labs.at_work(client):
        ended = await (await lambda_labs.start(client, goal_id)).result()
    assert (ended.outcome, ended.reason) == ("completed", "its time was over")
    assert ended.ends_at is not None
    assert ended.ended_at is not None
    assert timedelta() <= ended.ended_at - ended.ends_at < timedelta(minutes=5)
    assert 225 <= (ended.usd_cents or 0) <= 232
    assert lambda_labs.left() == NOTHING_LEFT


async def test_capacity_that_comes_is_taken(skipping: WorkflowEnvironment, lambda_labs: AtLambda, goal_id: str) -> None:
    client, known = skipping.client, lambda_labs.known
    known.capacity.clear()
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.start(client, goal_id, WANTED.model_copy(update={"wait_hours": 5}))
        await until_step(goal, "Wait for capacity")
        known.capacity["gpu_1x_a10", "us-east-1"] = 1
        ended = await goal.result()
    assert (ended.outcome, ended.region) == ("completed", "us-east-1")


async def test_what_never_comes_is_waited_for_as_long_as_it_may(
    skipping: WorkflowEnvironment, lambda_labs: AtLambda, goal_id: str
) -> None:
    client = skipping.client
    lambda_labs.known.capacity.clear()
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.start(client, goal_id, WANTED.model_copy(update={"wait_hours": 2}))
        ended = await goal.result()
        found = await goal.describe()
    assert ended.outcome == "refused"
    assert found.close_time is not None
    assert timedelta(hours=2) <= found.close_time - found.start_time < timedelta(hours=3)
    looks = [one for one in lambda_labs.vault.twin.requests() if one["path"] == "/instance-types"]
    assert 10 <= len(looks) <= 14


async def test_a_machine_without_gpus_is_ended_after_its_time_to_boot(
    skipping: WorkflowEnvironment, lambda_labs: AtLambda, goal_id: str
) -> None:
    types = lambda_labs.known.types
    types["gpu_1x_a10"] = types["gpu_1x_a10"].model_copy(update={"defect": "no_gpus"})
    async with lambda_labs.at_work(skipping.client):
        ended = await (await lambda_labs.start(skipping.client, goal_id)).result()
    assert ended.outcome == "partially_applied"
    assert "not ready after 40 minutes: SSH answers, and 0 of 1 GPUs" in str(ended.reason)
    assert lambda_labs.left() == NOTHING_LEFT


@pytest.mark.parametrize("becomes", ["unhealthy", "preempted", None])
async def test_a_machine_that_is_lost_while_it_is_held_is_noticed(
    skipping: WorkflowEnvironment, lambda_labs: AtLambda, goal_id: str, becomes: str | None
) -> None:
    client, known = skipping.client, lambda_labs.known
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id)
        [instance] = known.instances
        if becomes is None:
            del known.instances[instance]
        else:
            known.instances[instance] = known.instances[instance].model_copy(update={"status": becomes})
        ended = await goal.result()
    assert ended.outcome == "partially_applied"
    assert (becomes or "is gone, and not by its lease") in str(ended.reason)
    assert (ended.usd_cents or 0) < 50
    assert lambda_labs.left() == NOTHING_LEFT


async def test_a_key_that_is_revoked_while_it_is_held_ends_the_goal_truthfully_and_the_lease_goes_on(
    skipping: WorkflowEnvironment, lambda_labs: AtLambda, goal_id: str
) -> None:
    client, known = skipping.client, lambda_labs.known
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id)
        held = await told(goal)
        known.keys.discard(KEY_CANARY)
        with pytest.raises(WorkflowFailureError) as failed:
            await goal.result()
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == ErrorType.AUTH_DENIED
        assert held.instance in known.instances
        lease = lease_of(client, goal_id)
        await lease.cancel()  # as the real server does when its goal's run closes; this one knows no such policy

        async def stuck() -> bool:
            return "stuck" in lambda_labs.teller.said

        await eventually(stuck)
        assert held.instance in known.instances
        known.keys.add(KEY_CANARY)
        assert (await lease.result()).why == "the goal that held it is over"
    assert lambda_labs.left() == NOTHING_LEFT
