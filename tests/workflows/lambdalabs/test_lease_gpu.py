"""The goal `LeaseGpu` on the real server, with real steps on the twin: one machine, and nothing left in the end."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType
from activities.leases.views import LeaseState, LeaseView
from tests.connectors.lambdalabs.conftest import KEY_CANARY, advance
from tests.workflows.approval.approving import eventually
from tests.workflows.lambdalabs.at_lambda import (
    NOTHING_LEFT,
    ONE_OF_EACH,
    WANTED,
    AtLambda,
    at_lambda,
    end_lease,
    lease_of,
    told,
    until_step,
)
from workflows.lambdalabs.goals import LeaseGpuInput, LeaseGpuResult, RenameGpu, RestartGpu
from workflows.leases.contracts import ExtendLease

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_machine_is_held_opened_by_its_key_in_vault_and_ended_by_a_person(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id)
        held = await told(goal)
        assert (held.type, held.region, held.gpus, held.cents_per_hour) == ("gpu_1x_a10", "us-west-1", 1, 75)
        assert held.address is not None
        assert held.secret is not None
        assert held.secret.removeprefix("banksman/") in lambda_labs.vault.held
        step = (await goal.query("status"))["step"]
        assert held.address in step
        assert held.secret in step
        assert lambda_labs.left() == ONE_OF_EACH
        await end_lease(client, goal_id)
        ended = await goal.result()
    assert (ended.outcome, ended.reason) == ("completed", "a person ended it: done")
    assert ended.ended_at is not None
    assert 1 <= (ended.usd_cents or 0) <= 3
    assert lambda_labs.left() == NOTHING_LEFT


@pytest.mark.parametrize("way", ["terminate", "cancel"])
async def test_a_goal_that_is_ended_from_outside_leaves_nothing(
    client: Client, lambda_labs: AtLambda, goal_id: str, way: str
) -> None:
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id)
        await getattr(goal, way)()
        ended = await lease_of(client, goal_id).result()
    assert ended.why == "the goal that held it is over"
    assert lambda_labs.left() == NOTHING_LEFT


@pytest.mark.parametrize("way", ["terminate", "cancel"])
async def test_so_does_one_that_is_ended_while_nobody_knows_whether_it_launched(
    client: Client, lambda_labs: AtLambda, goal_id: str, way: str
) -> None:
    lambda_labs.vault.twin.plant(kind="silence", after_effect=True, path="launch$")

    async def launched() -> bool:
        return len(lambda_labs.known.instances) == 1

    async with lambda_labs.at_work(client):
        goal = await lambda_labs.start(client, goal_id)
        await eventually(launched)
        await getattr(goal, way)()
        await lease_of(client, goal_id).result()
    assert lambda_labs.left() == NOTHING_LEFT


@pytest.mark.parametrize("fault", ["drop_after_effect", "drop", "garbage"])
async def test_whatever_becomes_of_the_launchs_answer_there_is_one_machine(
    client: Client, lambda_labs: AtLambda, goal_id: str, fault: str
) -> None:
    lambda_labs.vault.twin.plant(kind=fault, path="launch$")
    async with lambda_labs.at_work(client):
        await lambda_labs.held(client, goal_id)
        assert lambda_labs.left() == ONE_OF_EACH
        await end_lease(client, goal_id)
        await lease_of(client, goal_id).result()
    assert lambda_labs.left() == NOTHING_LEFT


async def test_the_next_best_is_taken_where_the_best_is_not_there(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    wanted = WANTED.model_copy(update={"types": ("gpu_1x_gh200", "gpu_1x_a10"), "most_usd": 5})
    lambda_labs.known.capacity["gpu_1x_a10", "us-west-1"] = 0
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id, wanted)
        held = await told(goal)
        assert (held.type, held.region) == ("gpu_1x_a10", "us-east-1")
        assert "gpu_1x_gh200 in us-west-1" in held.tried


async def test_without_capacity_it_is_refused_and_nothing_is_made(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    lambda_labs.known.capacity.clear()
    async with lambda_labs.at_work(client):
        ended = await (await lambda_labs.start(client, goal_id)).result()
    assert (ended.outcome, ended.lease, ended.instance) == ("refused", None, None)
    assert ended.tried == ("gpu_1x_a10 in us-west-1", "gpu_1x_a10 in us-east-1")
    assert "has no capacity for gpu_1x_a10 in us-west-1" in str(ended.reason)
    assert lambda_labs.left() == NOTHING_LEFT
    assert "lambdalabs-keep" not in lambda_labs.vault.asked


async def test_capacity_that_is_said_to_be_there_and_is_not_leaves_nothing(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    refused = {"error": {"code": "instance-operations/launch/insufficient-capacity", "message": "words"}}
    lambda_labs.vault.twin.plant(kind="status", path="launch$", status=400, body=refused, times=2)
    async with lambda_labs.at_work(client):
        ended = await (await lambda_labs.start(client, goal_id)).result()
    assert (ended.outcome, ended.lease) == ("refused", None)
    assert lambda_labs.left() == NOTHING_LEFT
    assert (await lease_of(client, goal_id).result()).why == "the goal that held it needs it no longer"


async def test_what_it_waits_for_is_told_with_when_it_tries_again(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    lambda_labs.known.capacity.clear()
    wanted = WANTED.model_copy(update={"wait_hours": 1})
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.start(client, goal_id, wanted)
        said = await until_step(goal, "Wait for capacity")
        assert "none for gpu_1x_a10 in us-west-1, gpu_1x_a10 in us-east-1; looked for again at 20" in said
        assert said.endswith("UTC")
        assert (await told(goal)).tried == ("gpu_1x_a10 in us-west-1", "gpu_1x_a10 in us-east-1")
        await goal.cancel()


async def test_a_machine_that_is_not_healthy_is_ended_and_told(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    types = lambda_labs.known.types
    types["gpu_1x_a10"] = types["gpu_1x_a10"].model_copy(update={"defect": "unhealthy"})
    async with lambda_labs.at_work(client):
        ended = await (await lambda_labs.start(client, goal_id)).result()
    assert ended.outcome == "partially_applied"
    assert "is unhealthy. It was ended" in str(ended.reason)
    assert ended.usd_cents is not None
    assert lambda_labs.left() == NOTHING_LEFT


async def test_ssh_alone_may_count_as_ready(client: Client, lambda_labs: AtLambda, goal_id: str) -> None:
    types = lambda_labs.known.types
    types["gpu_1x_a10"] = types["gpu_1x_a10"].model_copy(update={"defect": "no_gpus"})
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id, WANTED.model_copy(update={"ready": "ssh"}))
        assert (await told(goal)).gpus == 0


async def test_what_would_cost_more_than_it_may_is_refused(client: Client, lambda_labs: AtLambda, goal_id: str) -> None:
    async with lambda_labs.at_work(client):
        ended = await (await lambda_labs.start(client, goal_id, WANTED.model_copy(update={"most_usd": 2}))).result()
    assert ended.outcome == "refused"
    assert "3 hours would cost (gpu_1x_a10 2.25) US dollars, and may cost 2" in str(ended.reason)
    assert lambda_labs.left() == NOTHING_LEFT


async def test_a_size_that_lambda_does_not_have_is_named(client: Client, lambda_labs: AtLambda, goal_id: str) -> None:
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.start(client, goal_id, WANTED.model_copy(update={"types": ("gpu_9x",)}))
        with pytest.raises(WorkflowFailureError) as failed:
            await goal.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert (failed.value.cause.type, "gpu_9x" in failed.value.cause.message) == (ErrorType.INVALID_REQUEST, True)


async def test_an_extension_is_asked_for_at_what_it_costs(client: Client, lambda_labs: AtLambda, goal_id: str) -> None:
    async with lambda_labs.at_work(client):
        await lambda_labs.held(client, goal_id)
        lease = lease_of(client, goal_id)
        before = (await lease.query("view", result_type=LeaseView)).lease.ends_at
        until = before + timedelta(hours=2)
        await lease.execute_update("extend", ExtendLease(ends_at=until), result_type=LeaseView)

        async def extended() -> bool:
            return (await lease.query("view", result_type=LeaseView)).lease.ends_at == until

        await eventually(extended)
        asked = await _asked(lease, "lambdalabs.extend_instance")
        assert {name: asked[name] for name in ("ends_at", "until", "cents_per_hour")} == {
            "ends_at": before.isoformat(),
            "until": until.isoformat(),
            "cents_per_hour": 75,
        }


async def test_it_is_restarted_and_renamed_while_it_is_held(client: Client, goal_id: str) -> None:
    with at_lambda(boots_in=30.0) as lambda_labs:
        known = lambda_labs.known
        async with lambda_labs.at_work(client):
            goal = await lambda_labs.start(client, goal_id)
            await until_step(goal, "Ask train whether it is ready")
            await refused_update(goal, "restart", "holds no machine that is ready")
            advance(lambda_labs.vault.twin, 30)
            await until_step(goal, "Hold the machine")
            renamed = await goal.execute_update("rename", RenameGpu(name="evaluate"), result_type=LeaseGpuResult)
            assert (renamed.name, renamed.called, renamed.instance) == (
                "train",
                "evaluate",
                next(iter(known.instances)),
            )
            restarting = await goal.start_update(
                "restart",
                RestartGpu(note="it hangs"),
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                result_type=LeaseGpuResult,
            )
            await until_step(goal, "Restart train")
            await refused_update(goal, "restart", "is under way")
            await refused_update(goal, "rename", "is under way", {"name": "again"})

            async def seen_down() -> bool:
                paths = [one["path"] for one in lambda_labs.vault.twin.requests()]
                return "/instances" in paths[paths.index("/instance-operations/restart") :]

            await eventually(seen_down)
            advance(lambda_labs.vault.twin, 30)
            again = await restarting.result()
            assert (again.gpus, again.lease) == (1, renamed.lease)
            await until_step(goal, "Hold the machine")
            assert lambda_labs.left() == ONE_OF_EACH
            await end_lease(client, goal_id)
            ended = await goal.result()
    assert (ended.outcome, ended.called, known.restarts.total()) == ("completed", "evaluate", 1)
    assert lambda_labs.left() == NOTHING_LEFT


async def test_a_restart_that_fails_is_told_to_whoever_asked_and_the_machine_is_held_on(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id)
        lambda_labs.known.keys.discard(KEY_CANARY)
        await refused_update(goal, "restart", "banksman/lambdalabs/key")
        lambda_labs.known.keys.add(KEY_CANARY)
        await until_step(goal, "Hold the machine")
        await end_lease(client, goal_id)
        assert (await goal.result()).outcome == "completed"
    assert (lambda_labs.known.restarts.total(), lambda_labs.left()) == (0, NOTHING_LEFT)


async def refused_update(goal: Any, name: str, why: str, request: Any = None) -> None:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await goal.execute_update(name, request or {})
    assert isinstance(refused.value.cause, ApplicationError)
    assert why in refused.value.cause.message


async def _asked(lease: Any, step: str) -> dict[str, Any]:
    """What a step was asked."""
    history = await lease.fetch_history()
    scheduled = [one.activity_task_scheduled_event_attributes for one in history.events]
    [found] = [one for one in scheduled if one.activity_type.name == step]
    [asked] = await lease._client.data_converter.decode(found.input.payloads, [dict[str, Any]])
    return asked


async def test_a_key_that_is_revoked_meanwhile_leaves_a_lease_that_tells_people_and_goes_on(
    client: Client, lambda_labs: AtLambda, goal_id: str
) -> None:
    async with lambda_labs.at_work(client):
        goal = await lambda_labs.held(client, goal_id)
        lambda_labs.known.keys.discard(KEY_CANARY)
        await goal.terminate()

        async def stuck() -> bool:
            return lambda_labs.teller.said == ["stuck"]

        await eventually(stuck)
        view = await lease_of(client, goal_id).query("view", result_type=LeaseView)
        assert (view.state, "banksman/lambdalabs/key" in view.problem) == (LeaseState.STUCK, True)
        assert lambda_labs.left() == ONE_OF_EACH
        lambda_labs.known.keys.add(KEY_CANARY)
        await end_lease(client, goal_id)
        await lease_of(client, goal_id).result()
    assert lambda_labs.left() == NOTHING_LEFT


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../x"},
        {"types": ()},
        {"types": ("a b",)},
        {"regions": ("US West",)},
        {"hours": 169},
        {"hours": 0},
        {"most_usd": 0},
        {"wait_hours": 73},
        {"ready": "believed"},
        {"gpus": 1},
    ],
    ids=str,
)
async def test_an_input_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LeaseGpuInput.model_validate({**WANTED.model_dump(), **wrong})
