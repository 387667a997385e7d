"""The steps of a cluster's removal: what is told before, exactly what was approved, and keys that are forgotten."""

from typing import Any

import pytest
from temporalio import activity

from activities.guard.current_attempt import CurrentAttempt, begin
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.qdrant.deleting import ClusterDeletion
from activities.qdrant.removal_contracts import (
    DELETE_CLUSTER,
    FORGET_CLUSTER,
    INSPECT_CLUSTER,
    ClusterDeleted,
    ClusterForgotten,
    ClusterInspected,
    DeleteClusterParameters,
    ForgetClusterRequest,
    InspectClusterRequest,
)
from connectors.errors import AuthDenied, Conflict, Forbidden, NotFound, Unavailable
from connectors.qdrant.twin.shapes import TwinBackup
from hitl.approval.plan import Change, Plan, Resource, Risk
from hitl.protocol import PolicyContext
from tests.activities.guard.attempts import Waited
from tests.activities.qdrant.at_work import Vault, at_work
from tests.connectors.qdrant.conftest import WRITING_CANARY
from tests.connectors.qdrant.published import ACCOUNT

KEPT = {"qdrant/readers/shop-search", "qdrant/writers/shop-search"}


@pytest.fixture
def cluster(known: Any) -> str:
    """The id of the account's one cluster."""
    [found] = known.clusters
    return found


def granted(cluster: str, name: str = "shop-search") -> GrantedRequest:
    plan = Plan(
        action=DELETE_CLUSTER.name,
        parameters=DeleteClusterParameters(resource=name, cluster=cluster).model_dump(),
        resources=(Resource(kind="Qdrant cluster", name=name, change=Change.DELETE),),
        summary=("Delete it",),
        risk=Risk.HIGH,
    )
    return GrantedRequest(plan=plan.text(), decisions=())


async def delete(
    vault: Vault, request: GrantedRequest, *, attempt: int = 1, waited: Waited | None = None
) -> ClusterDeleted:
    step = ClusterDeletion(DestructiveSecrets(vault), base_url=vault.twin.url)

    async def begun(request: GrantedRequest) -> ClusterDeleted:
        begin(CurrentAttempt(activity.info(), waited or Waited()))
        return await step.delete_cluster(request)

    return await at_work(DELETE_CLUSTER.name, attempt=attempt).run(begun, request)


async def inspect(vault: Vault, cluster: str) -> ClusterInspected:
    request = InspectClusterRequest(cluster=cluster)
    return await at_work(INSPECT_CLUSTER.name).run(vault.clearing.inspect_cluster, request)


async def forget(vault: Vault, name: str = "shop-search") -> ClusterForgotten:
    return await at_work(FORGET_CLUSTER.name).run(vault.clearing.forget_cluster, ForgetClusterRequest(cluster=name))


def deletions(vault: Vault) -> int:
    return sum(one["method"] == "DELETE" for one in vault.twin.requests())


async def test_what_would_go_is_told_with_the_backups_that_stay(vault: Vault, known: Any, cluster: str) -> None:
    for number in range(130):
        known.backups[str(number)] = TwinBackup(
            id=f"b-{number}",
            name=f"night-{number}",
            account_id=ACCOUNT,
            cluster_id=cluster,
            created_at=f"2026-11-28T03:{number // 60:02}:{number % 60:02}Z",
            status="BACKUP_STATUS_SUCCEEDED",
        )
    for asked in ("shop-search", cluster):
        told = await inspect(vault, asked)
        assert (told.id, told.name, told.phase, told.all_backups, len(told.backups)) == (
            cluster, "shop-search", "HEALTHY", 130, 10,
        )  # fmt: skip
        assert told.backups[0] == "night-129 of 2026-11-28T03:02:09Z, succeeded"
    assert set(vault.asked) == {"qdrant-read"}


async def test_one_that_is_not_there_and_one_of_several_is_not_chosen(vault: Vault, known: Any, cluster: str) -> None:
    with pytest.raises(NotFound, match="no cluster 'none'"):
        await inspect(vault, "none")
    known.clusters["twin"] = known.clusters[cluster].model_copy(update={"id": "twin"})
    with pytest.raises(Conflict, match="by its id"):
        await inspect(vault, "shop-search")
    assert (await inspect(vault, "twin")).id == "twin"


async def test_what_was_approved_goes_once_and_its_backups_stay(vault: Vault, known: Any, cluster: str) -> None:
    assert await delete(vault, granted(cluster)) == ClusterDeleted(name="shop-search")
    assert [one for one in vault.twin.requests() if "deleteBackups" in str(one)] == []
    assert (await delete(vault, granted(cluster), attempt=2)).name == "shop-search"
    vault.twin.http.post("/_twin/clock", json={"advance": 60}).raise_for_status()
    assert (known.clusters, deletions(vault), set(vault.asked)) == ({}, 1, {"qdrant-delete"})


async def test_an_answer_that_was_lost_is_found_done(vault: Vault, known: Any, cluster: str) -> None:
    vault.twin.plant(kind="drop_after_effect", method="DELETE")
    with pytest.raises(Unavailable):
        await delete(vault, granted(cluster))
    assert (await delete(vault, granted(cluster), attempt=2)).name == "shop-search"
    assert deletions(vault) == 1


async def test_one_that_somebody_deleted_meanwhile_is_already_gone(vault: Vault, known: Any, cluster: str) -> None:
    del known.clusters[cluster]
    assert (await delete(vault, granted(cluster))).already_gone
    assert deletions(vault) == 0


async def test_one_that_somebody_renamed_meanwhile_is_kept(vault: Vault, known: Any, cluster: str) -> None:
    known.clusters[cluster] = known.clusters[cluster].model_copy(update={"name": "orders"})
    with pytest.raises(Conflict, match="has another name now: it is kept"):
        await delete(vault, granted(cluster))
    assert deletions(vault) == 0


async def test_nothing_is_deleted_for_a_goal_that_is_over(vault: Vault, known: Any, cluster: str) -> None:
    with pytest.raises(Unavailable, match="nobody waits"):
        await delete(vault, granted(cluster), waited=Waited(until=1))
    assert deletions(vault) == 0


async def test_no_other_key_deletes_and_a_revoked_one_is_told(vault: Vault, known: Any, cluster: str) -> None:
    held = vault.held["qdrant/deleting-key"]
    vault.held["qdrant/deleting-key"] = vault.held["qdrant/writing-key"]
    assert held["api_key"].get_secret_value() != WRITING_CANARY
    with pytest.raises(Forbidden):
        await delete(vault, granted(cluster))
    vault.held["qdrant/deleting-key"] = {**held, "api_key": type(held["api_key"])("revoked")}
    with pytest.raises(AuthDenied, match="banksman/qdrant/deleting-key"):
        await delete(vault, granted(cluster))
    assert known.clusters[cluster].deleted_at is None


async def test_keys_are_forgotten_once_it_is_gone_and_not_before(vault: Vault, known: Any, cluster: str) -> None:
    with pytest.raises(Conflict, match="stays in Vault until it is deleted"):
        await forget(vault)
    assert vault.held.keys() >= KEPT
    await delete(vault, granted(cluster))
    other = "qdrant/readers/other"
    vault.held[other] = {}
    vault.failing.append(Unavailable("sealed"))
    with pytest.raises(Unavailable):
        await forget(vault)
    for _ in range(2):
        assert set((await forget(vault)).paths) == KEPT
        assert not KEPT & vault.held.keys()
    assert other in vault.held
    assert vault.asked[-1] == "qdrant-forget"


def test_the_policy_can_match_the_cluster() -> None:
    for request in (InspectClusterRequest(cluster="shop"), ForgetClusterRequest(cluster="shop")):
        assert request.policy_context() == PolicyContext(resource="shop")
    assert granted("c-1").policy_context() == PolicyContext(resource="shop-search")
