"""The step that buys: exactly what was approved, at no higher a price, once, and only while somebody waits for it."""

from typing import Any

import pytest
from temporalio import activity

from activities.guard.current_attempt import CurrentAttempt, begin
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.qdrant.buying import ClusterPurchase
from activities.qdrant.contracts import BUY_CLUSTER, BuyClusterParameters, ClusterMade
from connectors.errors import Conflict, Unavailable
from hitl.approval.plan import Change, Plan, Resource, Risk
from tests.activities.guard.attempts import Waited
from tests.activities.qdrant.at_work import Vault, at_work
from tests.connectors.qdrant.conftest import PAID

APPROVED = BuyClusterParameters(
    resource="shop", provider="aws", region="eu-central-1", package_id=PAID, nodes=2, millicents_per_hour=7_500
)


def granted(approved: BuyClusterParameters = APPROVED) -> GrantedRequest:
    plan = Plan(
        action=BUY_CLUSTER.name,
        parameters=approved.model_dump(),
        resources=(Resource(kind="Qdrant cluster", name="shop", change=Change.CREATE),),
        summary=("Buy it",),
        risk=Risk.MEDIUM,
    )
    return GrantedRequest(plan=plan.text(), decisions=())


async def bought(
    vault: Vault, request: GrantedRequest | None = None, *, attempt: int = 1, waited: Waited | None = None
) -> ClusterMade:
    step = ClusterPurchase(DestructiveSecrets(vault), base_url=vault.twin.url)

    async def begun(request: GrantedRequest) -> ClusterMade:
        begin(CurrentAttempt(activity.info(), waited or Waited()))
        return await step.buy_cluster(request)

    return await at_work(BUY_CLUSTER.name, attempt=attempt).run(begun, request or granted())


async def test_what_was_approved_is_bought_once(vault: Vault, known: Any) -> None:
    made = await bought(vault)
    assert (await bought(vault, attempt=2)).id == made.id
    cluster = known.clusters[made.id]
    assert (cluster.name, cluster.configuration.package_id, cluster.configuration.number_of_nodes) == ("shop", PAID, 2)
    assert len(known.clusters) == 2
    assert set(vault.asked) == {"qdrant-buy"}


async def test_what_has_become_more_expensive_is_not_bought(vault: Vault, known: Any) -> None:
    with pytest.raises(Conflict, match="now costs 7500 millicents an hour, and may cost 7499"):
        await bought(vault, granted(APPROVED.model_copy(update={"millicents_per_hour": 7_499})))
    assert len(known.clusters) == 1


async def test_nothing_is_bought_for_a_goal_that_is_over(vault: Vault, known: Any) -> None:
    with pytest.raises(Unavailable, match="nobody waits"):
        await bought(vault, waited=Waited(until=1))
    assert len(known.clusters) == 1


async def test_a_purchase_whose_answer_was_lost_is_adopted(vault: Vault, known: Any) -> None:
    vault.twin.plant(method="POST", path="clusters$", kind="drop_after_effect")
    assert (await bought(vault)).adopted
    assert len(known.clusters) == 2
