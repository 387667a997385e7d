"""The client of Qdrant Cloud on its twin: what it makes, what it never tells, and every bad day."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.errors import (
    AuthDenied,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from connectors.http import Api
from connectors.qdrant.client import READER, Account, ManagementKey, Wanted, dialect
from connectors.qdrant.manifest import WRITING_KEY
from connectors.qdrant.models import Phase
from connectors.qdrant.twin.shapes import TwinBackup
from tests.connectors.qdrant.conftest import DELETING_CANARY, FREE, PAID, READING_CANARY, WRITING_CANARY
from tests.connectors.qdrant.published import ACCOUNT
from tests.connectors.serving import ServedTwin

WANTED = Wanted(name="shop-trial", provider="aws", region="eu-central-1", package_id=FREE, nodes=1)


@asynccontextmanager
async def account(twin: ServedTwin, *, key: str = WRITING_CANARY, of: str = ACCOUNT) -> AsyncGenerator[Account]:
    known = ManagementKey.of({"account": SecretStr(of), "api_key": SecretStr(key)}, WRITING_KEY)
    async with Api(dialect(WRITING_KEY), base_url=twin.url).open(known.auth) as session:
        yield Account(session, known.account)


async def test_a_cluster_is_made_comes_up_and_is_found_by_its_mark(twin: ServedTwin) -> None:
    async with account(twin) as mine:
        made = await mine.create_cluster(WANTED, "banksman-1")
        assert (made.state.phase, made.state.endpoint.address) == (Phase.CREATING, "")
        assert [one.id for one in await mine.marked("banksman-1")] == [made.id]
        assert list(await mine.marked("banksman-2")) == []
        twin.http.post("/_twin/clock", json={"advance": 60}).raise_for_status()
        up = await mine.cluster(made.id)
    assert (up.state.phase, up.state.endpoint.address) == (Phase.HEALTHY, twin.url)


async def test_a_thousand_clusters_are_all_read(twin: ServedTwin, known: Any) -> None:
    one = next(iter(known.clusters.values()))
    known.clusters.update({str(number): one.model_copy(update={"id": str(number)}) for number in range(1_000)})
    async with account(twin, key=READING_CANARY) as mine:
        found = await mine.clusters()
    assert len({one.id for one in found}) == 1_001
    assert len(twin.requests()) == 11


async def test_a_thousand_backups_are_all_read_and_outlive_their_cluster(twin: ServedTwin, known: Any) -> None:
    [cluster] = known.clusters
    for number in range(1_001):
        known.backups[str(number)] = TwinBackup(id=str(number), account_id=ACCOUNT, cluster_id=cluster)
    async with account(twin, key=DELETING_CANARY) as mine:
        assert len({one.id for one in await mine.backups(cluster)}) == 1_001
        assert list(await mine.backups("another")) == []
        for _ in range(2):
            await mine.delete_cluster(cluster)
        twin.http.post("/_twin/clock", json={"advance": 60}).raise_for_status()
        await mine.delete_cluster(cluster)
        assert (await mine.clusters(), len(await mine.backups(cluster))) == ([], 1_001)


async def test_a_cluster_that_is_being_deleted_is_none_any_more(twin: ServedTwin, known: Any) -> None:
    (cluster,) = known.clusters
    known.clusters[cluster] = known.clusters[cluster].model_copy(update={"deleted_at": "2026-11-29T00:00:00Z"})
    async with account(twin) as mine:
        assert await mine.clusters() == []
        with pytest.raises(NotFound, match="somebody deleted it"):
            await mine.cluster(cluster)


async def test_a_price_is_for_all_nodes_and_a_free_one_is_free(twin: ServedTwin) -> None:
    async with account(twin, key=READING_CANARY) as mine:
        paid = replace(WANTED, package_id=PAID, nodes=3)
        assert await mine.price(paid) == 3 * 3_750
        assert await mine.price(WANTED) == 0
        twin.plant(path="quote$", kind="status", status=200, body={"currency": "USD"})
        with pytest.raises(MalformedAnswer, match="tells no price of 'shop-trial'"):
            await mine.price(paid)
        twin.plant(path="quote$", kind="status", status=200, body={"currency": "EUR", "discountedPricePerHour": "1"})
        with pytest.raises(InvalidRequest, match="in 'EUR', and not in USD"):
            await mine.price(paid)
        assert (await mine.package("gpx1", provider="aws", region="eu-central-1")).id == PAID
        with pytest.raises(InvalidRequest, match=r"0 packages 'huge' .* there are free2, gpx1"):
            await mine.package("huge", provider="aws", region="eu-central-1")


async def test_a_key_is_shown_once_and_opens_its_database(twin: ServedTwin, known: Any) -> None:
    (cluster,) = known.clusters
    async with account(twin) as mine:
        made = await mine.create_key(cluster, "banksman-key", READER)
        (listed,) = await mine.keys(cluster, "banksman-key")
        secret = made.key.get_secret_value()
        assert secret not in f"{made!r} {listed!r} {listed.model_dump()}"
        assert twin.http.get("/collections", headers={"api-key": secret}).is_success
        await mine.delete_key(cluster, listed)
        await mine.delete_key(cluster, listed)
        assert list(await mine.keys(cluster, "banksman-key")) == []
    assert twin.http.get("/collections", headers={"api-key": secret}).status_code == 401


async def test_backups_are_scheduled(twin: ServedTwin, known: Any) -> None:
    (cluster,) = known.clusters
    async with account(twin) as mine:
        await mine.create_schedule(cluster, cron="0 3 * * *", days=7, name="banksman-1")
        (found,) = await mine.schedules(cluster)
        assert (found.schedule, found.retention_period) == ("0 3 * * *", "604800s")
        with pytest.raises(InvalidRequest, match="between 1 day and 365 days"):
            await mine.create_schedule(cluster, cron="0 3 * * *", days=400, name="banksman-1")


async def test_wrong_keys_and_those_that_may_too_little_are_told(twin: ServedTwin) -> None:
    async with account(twin, key="other") as mine:
        with pytest.raises(AuthDenied, match="into Vault at banksman/qdrant/writing-key") as told:
            await mine.clusters()
    assert WRITING_CANARY not in str(told.value)
    async with account(twin, key=READING_CANARY) as mine:
        with pytest.raises(Forbidden, match="this key may not do that"):
            await mine.create_cluster(WANTED, "banksman-1")


def test_a_secret_that_lacks_something_is_told_by_its_place() -> None:
    with pytest.raises(AuthDenied, match="'qdrant/writing-key' lacks api_key"):
        ManagementKey.of({"account": SecretStr(ACCOUNT)}, WRITING_KEY)


FAULTS: list[tuple[dict[str, object], type[ConnectorError], type[ConnectorError]]] = [
    ({"kind": "status", "status": 403}, Forbidden, Forbidden),
    ({"kind": "status", "status": 400}, InvalidRequest, InvalidRequest),
    ({"kind": "status", "status": 429}, RateLimited, RateLimited),
    ({"kind": "status", "status": 503}, Unavailable, Unavailable),
    ({"kind": "status", "status": 500}, Unavailable, OutcomeUnknown),
    ({"kind": "garbage"}, MalformedAnswer, OutcomeUnknown),
    ({"kind": "drop"}, Unavailable, OutcomeUnknown),
    ({"kind": "drop_after_effect"}, Unavailable, OutcomeUnknown),
]


@pytest.mark.parametrize(("fault", "read", "made"), FAULTS)
async def test_a_bad_day_is_an_error_of_the_tree(
    twin: ServedTwin, fault: dict[str, object], read: type[ConnectorError], made: type[ConnectorError]
) -> None:
    async with account(twin) as mine:
        twin.plant(**fault)
        with pytest.raises(read) as told:
            await mine.clusters()
        assert type(told.value) is read
    async with account(twin) as mine:
        twin.plant(**fault)
        with pytest.raises(made) as told:
            await mine.create_cluster(WANTED, "banksman-1")
        assert type(told.value) is made


async def test_an_answer_with_a_key_that_cannot_be_read_is_told_without_it(twin: ServedTwin, known: Any) -> None:
    (cluster,) = known.clusters
    body = {"databaseApiKey": {"key": "made-key-canary"}}
    twin.plant(kind="status", status=200, body=body)
    async with account(twin) as mine:
        with pytest.raises(OutcomeUnknown) as told:
            await mine.create_key(cluster, "banksman-key", READER)
    assert "canary" not in f"{told.value} {told.value.__context__} {told.value.__cause__}"
