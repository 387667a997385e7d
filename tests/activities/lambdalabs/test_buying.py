"""The step that buys: exactly what was approved, at no higher a price, once, and only while somebody waits for it."""

from typing import Any

import pytest
from temporalio import activity

from activities.guard.current_attempt import CurrentAttempt, begin
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.lambdalabs.buying import GpuPurchase
from activities.lambdalabs.contracts import BUY_INSTANCE, BuyGpuParameters, GpuLaunched
from connectors.errors import Conflict, Unavailable
from connectors.lambdalabs.client import LambdaCloud
from connectors.lambdalabs.manifest import BUYING_KEY
from hitl.approval.plan import Change, Cost, Plan, Resource, Risk
from tests.activities.guard.attempts import Waited
from tests.activities.lambdalabs.at_work import EAST, SCARCE, WEST, Vault, at_work
from tests.activities.lambdalabs.test_making import add_key, of_goal
from tests.connectors.lambdalabs.conftest import UNLIMITED

APPROVED = BuyGpuParameters(resource="train", choices=(WEST, EAST), hours=3, cents_per_hour=75)


def granted(approved: BuyGpuParameters = APPROVED) -> GrantedRequest:
    plan = Plan(
        action=BUY_INSTANCE.name,
        parameters=approved.model_dump(mode="json"),
        resources=(Resource(kind="GPU", name="train", change=Change.CREATE),),
        summary=("Launch it",),
        risk=Risk.MEDIUM,
        cost=Cost(usd_cents=225, per="once"),
    )
    return GrantedRequest(plan=plan.text(), decisions=())


async def bought(
    vault: Vault, request: GrantedRequest | None = None, *, attempt: int = 1, waited: Waited | None = None
) -> GpuLaunched:
    step = GpuPurchase(DestructiveSecrets(vault), LambdaCloud(BUYING_KEY, vault.twin.url, UNLIMITED))

    async def begun(request: GrantedRequest) -> GpuLaunched:
        begin(CurrentAttempt(activity.info(), waited or Waited()))
        return await step.buy_instance(request)

    return await at_work(BUY_INSTANCE.name, attempt=attempt).run(begun, request or granted())


async def test_what_was_approved_is_launched_once(vault: Vault, known: Any) -> None:
    await add_key(vault)
    made = await bought(vault)
    assert (await bought(vault, attempt=2)).id == made.id
    [there] = of_goal(known)
    assert (there.id, there.name, there.region.name) == (made.id, "train", "us-west-1")
    assert vault.asked == ["lambdalabs-keep", "lambdalabs-buy", "lambdalabs-buy"]
    assert granted().spend() == 225


async def test_a_launch_whose_answer_was_lost_is_adopted(vault: Vault, known: Any) -> None:
    await add_key(vault)
    vault.twin.plant(kind="drop_after_effect", path="launch$")
    assert (await bought(vault)).adopted
    assert len(of_goal(known)) == 1


async def test_what_has_become_more_expensive_is_not_bought(vault: Vault, known: Any) -> None:
    with pytest.raises(Conflict, match="may cost 74 cents an hour"):
        await bought(vault, granted(APPROVED.model_copy(update={"cents_per_hour": 74})))
    assert of_goal(known) == []


async def test_where_there_is_no_capacity_people_hear_that_nothing_was_bought(vault: Vault, known: Any) -> None:
    scarce = APPROVED.model_copy(update={"choices": (SCARCE,), "cents_per_hour": 149})
    told = await bought(vault, granted(scarce))
    assert (told.id, told.spent(), told.end().way) == ("", 0, "refused")
    assert str(SCARCE) in told.end().why
    assert of_goal(known) == []


async def test_nothing_is_bought_for_a_goal_that_is_over(vault: Vault, known: Any) -> None:
    await add_key(vault)
    with pytest.raises(Unavailable, match="nobody waits"):
        await bought(vault, waited=Waited(until=1))
    assert of_goal(known) == []
