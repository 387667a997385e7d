"""The goal `LeaseGpu` where the policy lets no goal launch by itself: what people see, and what becomes of it."""

from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.approvals.contracts import RESOLVE_RULE
from activities.guard.error_types import ErrorType
from activities.lambdalabs.contracts import (
    ADD_SSH_KEY,
    BUY_INSTANCE,
    CHECK_INSTANCE,
    LAUNCH_INSTANCE,
    BuyGpuParameters,
    Choice,
)
from hitl.approval.decision import Verdict
from hitl.approval.plan import Cost
from hitl.protocol import PolicyContext
from tests.workflows.approval.approving import House
from tests.workflows.lambdalabs.at_lambda import lease_of
from tests.workflows.lambdalabs.scenarios import (
    BOUGHT,
    DENIED,
    GONE,
    HELD,
    LAUNCHED,
    NO_BUDGET,
    NOBODY,
    NONE_LEFT,
    NOT_BY_ITSELF,
    THERE,
    ask,
    start,
)
from tests.workflows.played import Answers, playing
from workflows.lambdalabs.goals import LeaseGpuResult

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def house(client: Client, tmp_path: Path) -> House:
    return House(client, tmp_path, action=BUY_INSTANCE.name)


async def ended(client: Client, goal_id: str, answers: Answers) -> LeaseGpuResult:
    async with playing(client, {**HELD, **answers}):
        told = await (await start(client, goal_id)).result()
        await lease_of(client, goal_id).result()
        return told


async def test_people_see_exactly_what_is_launched_and_what_it_costs(house: House, goal_id: str) -> None:
    goal, plan = await ask(house, goal_id, BOUGHT)
    told = await goal.result()
    assert (told.outcome, told.instance, told.address) == ("completed", "i-1", "192.0.2.7")
    assert plan.cost == Cost(usd_cents=150, per="once")
    assert (plan.spend(), plan.policy_context()) == (150, PolicyContext(resource="train", cost=2))
    assert plan.parameters_as(BuyGpuParameters) == BuyGpuParameters(
        resource="train", choices=(Choice(type="gpu_1x_a10", region="us-west-1"),), hours=2, cents_per_hour=75
    )
    assert plan.summary[1:] == (
        "gpu_1x_a10 in us-west-1",
        "It costs $0.75 an hour at most, $1.50 in all: after 2 hours it is ended, with all that is on it",
    )


async def test_the_lease_is_taken_after_people_approved_and_before_the_launch(house: House, goal_id: str) -> None:
    goal, _ = await ask(house, goal_id, BOUGHT)
    events = (await goal.fetch_history()).events
    steps = [one.activity_task_scheduled_event_attributes.activity_type.name for one in events]
    children = [one.start_child_workflow_execution_initiated_event_attributes.workflow_type.name for one in events]
    bought, approved = steps.index(BUY_INSTANCE.name), children.index("Approval")
    leases = [place for place, name in enumerate(children) if name == "Lease"]
    keys = [place for place, name in enumerate(steps) if name == ADD_SSH_KEY.name]
    assert leases[0] < approved < leases[-1] < keys[-1] < bought
    assert leases[0] < keys[0] < steps.index(LAUNCH_INSTANCE.name)


async def test_where_people_say_no_nothing_is_left(house: House, goal_id: str) -> None:
    goal, _ = await ask(house, goal_id, {}, Verdict.REJECT)
    told = await goal.result()
    assert (told.outcome, told.instance, told.lease) == ("rejected", None, None)
    assert (await lease_of(house.client, goal_id).result()).why == "the goal that held it needs it no longer"


async def test_where_nobody_may_approve_it_is_denied(client: Client, goal_id: str) -> None:
    told = await ended(client, goal_id, {LAUNCH_INSTANCE: [NOT_BY_ITSELF], RESOLVE_RULE: [NOBODY]})
    assert (told.outcome, told.reason) == ("denied", "Nobody can approve it.")


async def test_beyond_the_budget_nobody_is_asked(client: Client, goal_id: str) -> None:
    told = await ended(client, goal_id, {LAUNCH_INSTANCE: [NO_BUDGET]})
    assert (told.outcome, told.reason) == ("denied", "It may cost $1.50, and the day has $0.10 left.")


async def test_people_are_asked_only_where_a_rule_on_the_launch_denies_it(client: Client, goal_id: str) -> None:
    for number, step in enumerate((LAUNCH_INSTANCE, ADD_SSH_KEY)):
        told = await ended(client, f"{goal_id}-{number}", {step: [DENIED]})
        assert (told.outcome, told.reason) == ("denied", "no GPUs here")


async def test_capacity_that_went_while_people_decided_is_told_and_leaves_nothing(house: House, goal_id: str) -> None:
    goal, _ = await ask(house, goal_id, {BUY_INSTANCE: [NONE_LEFT], CHECK_INSTANCE: [GONE]})
    told = await goal.result()
    assert (told.outcome, told.tried, told.lease) == ("refused", ("gpu_1x_a10 in us-west-1",), None)
    assert (await lease_of(house.client, goal_id).result()).tries == 1


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (LAUNCHED, THERE.model_copy(update={"id": "i-2"})),
        (LAUNCHED, THERE.model_copy(update={"type": "gpu_8x_a100"})),
        (LAUNCHED, THERE.model_copy(update={"cents_per_hour": 76})),
        (NONE_LEFT, THERE),
    ],
)
async def test_what_is_said_and_is_not_so_is_in_doubt(house: House, goal_id: str, said: object, seen: object) -> None:
    # Asked by the first lease's end, then by the look, then by the second lease's.
    goal, _ = await ask(house, goal_id, {BUY_INSTANCE: [said], CHECK_INSTANCE: [GONE, seen, GONE]})
    with pytest.raises(WorkflowFailureError) as failed:
        await goal.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == ErrorType.OUTCOME_UNKNOWN
