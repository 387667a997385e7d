"""The steps on clusters: one cluster and one key of each kind, whatever becomes of answers, workers and Vault."""

from datetime import timedelta
from typing import Any

import pytest

from activities.qdrant import clusters
from activities.qdrant.contracts import (
    ClusterMade,
    ClusterRequest,
    CreateClusterRequest,
    IssueKeysRequest,
    KeysIssued,
    LookAtClusterRequest,
    ScheduleBackupsRequest,
)
from connectors.errors import Conflict, NotFound, Unavailable
from hitl.protocol import PolicyContext
from tests.activities.qdrant.at_work import Vault, at_work
from tests.connectors.qdrant.conftest import FREE, PAID

WANTED = ClusterRequest(name="shop", provider="aws", region="eu-central-1", package="gpx1", nodes=2)
NEW = CreateClusterRequest(
    name="shop", provider="aws", region="eu-central-1", package_id=PAID, nodes=2, millicents_per_hour=7_500
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin shows at once what it has."""
    monkeypatch.setattr(clusters, "SHOWS_WITHIN", timedelta(seconds=1))


async def made(vault: Vault, *, attempt: int = 1) -> ClusterMade:
    return await at_work("qdrant.create_cluster", attempt=attempt).run(vault.clusters.create_cluster, NEW)


async def up(vault: Vault) -> str:
    cluster = (await made(vault)).id
    vault.twin.http.post("/_twin/clock", json={"advance": 60}).raise_for_status()
    return cluster


async def issued(vault: Vault, cluster: str, *, attempt: int = 1, anew: bool = False) -> KeysIssued:
    request = IssueKeysRequest(id=cluster, name="shop", anew=anew)
    return await at_work("qdrant.issue_keys", attempt=attempt).run(vault.clusters.issue_keys, request)


async def test_a_price_is_told_and_nothing_is_made(vault: Vault, known: Any) -> None:
    told = await at_work("qdrant.quote_cluster").run(vault.clusters.quote_cluster, WANTED)
    assert (told.package_id, told.package, told.millicents_per_hour) == (PAID, "gpx1", 7_500)
    assert told.existing is None
    assert len(known.clusters) == 1
    assert vault.asked == ["qdrant-read"]


async def test_the_goals_own_cluster_is_told_and_anothers_of_that_name_refused(vault: Vault) -> None:
    cluster = (await made(vault)).id
    told = await at_work("qdrant.quote_cluster").run(vault.clusters.quote_cluster, WANTED)
    assert told.existing == cluster
    with pytest.raises(Conflict, match="that this goal did not make"):
        await at_work("qdrant.quote_cluster", workflow_id="other").run(vault.clusters.quote_cluster, WANTED)


@pytest.mark.parametrize(
    "wrong", [{"package": "free2"}, {"nodes": 3}, {"region": "us-east-1"}, {"provider": "gcp"}], ids=str
)
async def test_the_goals_own_cluster_is_told_only_where_it_is_as_it_is_wanted(
    vault: Vault, wrong: dict[str, object]
) -> None:
    await made(vault)
    with pytest.raises(Conflict, match=f"is there with 2 × '{PAID}' in aws eu-central-1, and is not changed"):
        await at_work("qdrant.quote_cluster").run(vault.clusters.quote_cluster, WANTED.model_copy(update=wrong))


async def test_what_costs_more_than_the_policy_was_told_is_not_made(vault: Vault, known: Any) -> None:
    with pytest.raises(Conflict, match="now costs 7500 millicents an hour, and may cost 7499: none was made"):
        await at_work("qdrant.create_cluster").run(
            vault.clusters.create_cluster, NEW.model_copy(update={"millicents_per_hour": 7_499})
        )
    assert len(known.clusters) == 1


async def test_what_is_free_costs_nothing(vault: Vault, known: Any) -> None:
    free = NEW.model_copy(update={"package_id": FREE, "millicents_per_hour": 0})
    await at_work("qdrant.create_cluster").run(vault.clusters.create_cluster, free)
    assert len(known.clusters) == 2


async def test_a_cluster_whose_answer_was_lost_is_adopted(vault: Vault, known: Any) -> None:
    vault.twin.plant(method="POST", path="clusters$", kind="drop_after_effect")
    first = await made(vault)
    second = await made(vault, attempt=2)
    assert (first.id, first.adopted) == (second.id, True)
    assert len(known.clusters) == 2


async def test_where_a_cluster_stands_is_told(vault: Vault, known: Any) -> None:
    cluster = await up(vault)
    request = LookAtClusterRequest(id=cluster, name="shop")
    seen = await at_work("qdrant.look_at_cluster").run(vault.clusters.look_at_cluster, request)
    assert (seen.phase, seen.url, seen.package_id, seen.nodes, seen.ours) == ("HEALTHY", vault.twin.url, PAID, 2, True)
    del known.clusters[cluster]
    with pytest.raises(NotFound, match="somebody deleted it"):
        await at_work("qdrant.look_at_cluster").run(vault.clusters.look_at_cluster, request)


async def test_keys_go_to_vault_and_nowhere_else(vault: Vault, known: Any) -> None:
    told = await issued(vault, await up(vault))
    assert (told.reader, told.writer, told.adopted) == ("qdrant/readers/shop", "qdrant/writers/shop", False)
    assert vault.opens(told.reader)
    assert vault.opens(told.writer)
    for key, _ in known.keys.values():
        assert key.key not in told.model_dump_json()


async def test_keys_that_are_there_are_left_and_issued_anew_when_asked(vault: Vault, known: Any) -> None:
    cluster = await up(vault)
    first = await issued(vault, cluster)
    before = dict(vault.held)
    assert (await issued(vault, cluster)).adopted
    assert vault.held == before
    assert not (await issued(vault, cluster, anew=True)).adopted
    assert vault.held != before
    assert vault.opens(first.reader)
    assert len(known.keys) == 4


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_key_whose_answer_was_lost_is_ended_and_another_kept(vault: Vault, known: Any, lost: int) -> None:
    cluster = await up(vault)
    if lost:
        vault.twin.plant(method="POST", path="database-api-keys$", kind="delay", seconds=0)
    vault.twin.plant(method="POST", path="database-api-keys$", kind="drop_after_effect")
    with pytest.raises(Unavailable, match="another is issued"):
        await issued(vault, cluster)
    told = await issued(vault, cluster, attempt=2)
    assert vault.opens(told.reader)
    assert vault.opens(told.writer)
    assert len(known.keys) == 4


async def test_a_key_that_vault_did_not_take_is_ended_and_another_kept(vault: Vault, known: Any) -> None:
    cluster = await up(vault)
    vault.failing.append(Unavailable("sealed"))
    with pytest.raises(Unavailable, match="sealed"):
        await issued(vault, cluster)
    told = await issued(vault, cluster, attempt=2)
    assert vault.opens(told.reader)
    assert len(known.keys) == 4


async def test_no_key_is_issued_for_a_cluster_of_another_name_or_without_an_address(vault: Vault, known: Any) -> None:
    cluster = (await made(vault)).id
    with pytest.raises(Unavailable, match="no address yet"):
        await issued(vault, cluster)
    known.clusters[cluster] = known.clusters[cluster].model_copy(update={"name": "renamed"})
    with pytest.raises(Conflict, match="called 'renamed'"):
        await issued(vault, cluster)
    assert len(known.keys) == 2


async def test_backups_are_scheduled_once(vault: Vault, known: Any) -> None:
    request = ScheduleBackupsRequest(id=await up(vault), name="shop", cron="0 3 * * *", days=7)
    vault.twin.plant(method="POST", path="backup_schedules$", kind="drop_after_effect")
    first = await at_work("qdrant.schedule_backups").run(vault.clusters.schedule_backups, request)
    second = await at_work("qdrant.schedule_backups", attempt=2).run(vault.clusters.schedule_backups, request)
    assert first == second
    assert len(known.schedules) == 1


def test_a_policy_can_speak_of_the_cluster_and_its_cost() -> None:
    assert WANTED.policy_context() == PolicyContext(resource="shop")
    assert NEW.policy_context() == PolicyContext(resource="shop", cost=60)
    assert NEW.model_copy(update={"millicents_per_hour": 0}).policy_context().cost == 0
