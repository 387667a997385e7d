"""The steps on collections: built beside, verified, switched from exactly what was seen, by attempt one or two."""

import pytest

from activities.qdrant import collections
from activities.qdrant.collection_contracts import (
    CopyPointsRequest,
    CreateCollectionRequest,
    LookAtAliasRequest,
    SnapshotRequest,
    SwitchAliasRequest,
    VerifyCollectionRequest,
)
from activities.qdrant.contracts import DatabaseRequest
from connectors.errors import AuthDenied, Conflict, Unavailable
from hitl.protocol import PolicyContext
from tests.activities.qdrant.at_work import Vault, at_work

CLUSTER = "shop-search"
NEW = CreateCollectionRequest(
    cluster=CLUSTER, collection="products-v2", like="products-v1", on_disk=True, indexes={"category": "keyword"}
)
SWITCH = SwitchAliasRequest(cluster=CLUSTER, alias="products", collection="products-v2", expected="products-v1")
LOOK = LookAtAliasRequest(cluster=CLUSTER, alias="products", collection="products-v2")


async def build(vault: Vault) -> None:
    await at_work("qdrant.create_collection").run(vault.collections.create_collection, NEW)
    request = CopyPointsRequest(cluster=CLUSTER, source="products-v1", target="products-v2")
    await at_work("qdrant.copy_points").run(vault.collections.copy_points, request)


async def behind(vault: Vault) -> str | None:
    return (await at_work("qdrant.look_at_alias").run(vault.collections.look_at_alias, LOOK)).behind


async def test_a_database_answers_to_the_key_that_vault_keeps(vault: Vault) -> None:
    request = DatabaseRequest(cluster=CLUSTER)
    told = await at_work("qdrant.check_database").run(vault.collections.check_database, request)
    assert told.collections == 1
    assert vault.asked == ["qdrant-search"]


async def test_a_key_that_was_revoked_is_told(vault: Vault, known: object) -> None:
    known.keys.clear()  # pyright: ignore[reportAttributeAccessIssue] - the twin's own state
    with pytest.raises(AuthDenied):
        await at_work("qdrant.check_database").run(vault.collections.check_database, DatabaseRequest(cluster=CLUSTER))


async def test_what_stands_behind_an_alias_is_told(vault: Vault) -> None:
    seen = await at_work("qdrant.look_at_alias").run(vault.collections.look_at_alias, LOOK)
    assert (seen.behind, seen.exists, seen.shadowed, seen.snapshots) == ("products-v1", False, False, ())
    shadow = LookAtAliasRequest(cluster=CLUSTER, alias="products-v1", collection="products-v2")
    seen = await at_work("qdrant.look_at_alias").run(vault.collections.look_at_alias, shadow)
    assert (seen.behind, seen.shadowed) == (None, True)


async def test_a_collection_is_built_verified_and_switched_to(vault: Vault) -> None:
    await build(vault)
    request = VerifyCollectionRequest(cluster=CLUSTER, collection="products-v2", against="products-v1")
    found = await at_work("qdrant.verify_collection").run(vault.collections.verify_collection, request)
    assert (found.points, found.against, found.probed, found.found) == (8, 8, 5, 5)
    assert not (await at_work("qdrant.switch_alias").run(vault.collections.switch_alias, SWITCH)).already
    assert await behind(vault) == "products-v2"


async def test_a_collection_whose_answer_was_lost_is_the_goals_own_and_anothers_is_not(vault: Vault) -> None:
    vault.twin.plant(method="PUT", path="products-v2$", kind="drop_after_effect")
    with pytest.raises(Unavailable):
        await at_work("qdrant.create_collection").run(vault.collections.create_collection, NEW)
    again = await at_work("qdrant.create_collection", attempt=2).run(vault.collections.create_collection, NEW)
    assert again.adopted
    with pytest.raises(Conflict):
        await at_work("qdrant.create_collection").run(vault.collections.create_collection, NEW)


async def test_points_are_copied_in_parts_and_a_part_twice_is_once(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "BATCH", 2)
    monkeypatch.setattr(collections, "BATCHES", 2)
    await at_work("qdrant.create_collection").run(vault.collections.create_collection, NEW)
    request = CopyPointsRequest(cluster=CLUSTER, source="products-v1", target="products-v2")
    first = await at_work("qdrant.copy_points").run(vault.collections.copy_points, request)
    assert (first.points, first.following) == (4, 5)
    vault.twin.plant(method="PUT", path="points$", kind="drop_after_effect")
    following = request.model_copy(update={"start": first.following})
    with pytest.raises(Unavailable):
        await at_work("qdrant.copy_points").run(vault.collections.copy_points, following)
    second = await at_work("qdrant.copy_points", attempt=2).run(vault.collections.copy_points, following)
    assert (second.points, second.following) == (4, None)
    verify = VerifyCollectionRequest(cluster=CLUSTER, collection="products-v2")
    found = await at_work("qdrant.verify_collection").run(vault.collections.verify_collection, verify)
    assert (found.points, found.against) == (8, None)


async def test_an_alias_whose_answer_was_lost_is_switched_once(vault: Vault) -> None:
    await build(vault)
    vault.twin.plant(method="POST", path="aliases$", kind="drop_after_effect")
    with pytest.raises(Unavailable):
        await at_work("qdrant.switch_alias").run(vault.collections.switch_alias, SWITCH)
    assert (await at_work("qdrant.switch_alias", attempt=2).run(vault.collections.switch_alias, SWITCH)).already


async def test_an_alias_that_somebody_switched_meanwhile_stays(vault: Vault) -> None:
    await build(vault)
    with pytest.raises(Conflict, match="stands for 'products-v1', and not for 'products-v0' any more"):
        await at_work("qdrant.switch_alias").run(
            vault.collections.switch_alias, SWITCH.model_copy(update={"expected": "products-v0"})
        )
    assert await behind(vault) == "products-v1"


async def test_a_snapshot_whose_answer_was_lost_is_taken_for_it(vault: Vault) -> None:
    request = SnapshotRequest(cluster=CLUSTER, collection="products-v1")
    known = (await at_work("qdrant.snapshot_collection").run(vault.collections.snapshot_collection, request)).name
    request = request.model_copy(update={"known": (known,)})
    vault.twin.plant(method="POST", path="snapshots$", kind="drop_after_effect")
    with pytest.raises(Unavailable):
        await at_work("qdrant.snapshot_collection").run(vault.collections.snapshot_collection, request)
    made = await at_work("qdrant.snapshot_collection", attempt=2).run(vault.collections.snapshot_collection, request)
    seen = await at_work("qdrant.look_at_alias").run(vault.collections.look_at_alias, LOOK)
    assert seen.snapshots == (known, made.name)


def test_a_policy_can_speak_of_the_cluster() -> None:
    assert SWITCH.policy_context() == PolicyContext(resource=CLUSTER)
