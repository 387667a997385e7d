"""The official client on the twin's databases: what it does, and every bad day in our own words."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    Locked,
    MalformedAnswer,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from connectors.qdrant.collection import Layout
from connectors.qdrant.database import Database, opened
from connectors.qdrant.manifest import WRITERS
from tests.connectors.qdrant.conftest import READERS_CANARY, WRITERS_CANARY
from tests.connectors.serving import ServedTwin

SAME = Layout(indexes={})


@asynccontextmanager
async def database(twin: ServedTwin, *, key: str = WRITERS_CANARY) -> AsyncGenerator[Database]:
    async with opened({"url": SecretStr(twin.url), "api_key": SecretStr(key)}, WRITERS) as found:
        yield found


async def test_a_collection_is_built_beside_searched_and_switched_to(twin: ServedTwin) -> None:
    layout = Layout(on_disk=True, quantized=True, indexes={"category": "keyword"})
    async with database(twin) as shop:
        assert await shop.behind("products") == "products-v1"
        await shop.create_like("products-v1", "products-v2", layout)
        await shop.index("products-v2", "category", "keyword")
        first = await shop.copy("products-v1", "products-v2", start=None, most=5)
        assert (first.points, first.following) == (5, 6)
        second = await shop.copy("products-v1", "products-v2", start=first.following, most=5)
        assert (second.points, second.following) == (3, None)
        assert await shop.count("products-v2") == await shop.count("products-v1") == 8
        probed = await shop.probe("products-v2", sample=5)
        assert (probed.tried, probed.found) == (5, 5)
        await shop.point_alias("products", "products-v2", instead_of="products-v1")
        assert await shop.behind("products") == "products-v2"
        assert await shop.collections() == ["products-v1", "products-v2"]
    shown = twin.http.get("/collections/products-v2", headers={"api-key": WRITERS_CANARY}).json()["result"]
    assert shown["config"]["params"]["vectors"] == {"size": 4, "distance": "Cosine", "on_disk": True}
    assert shown["payload_schema"] == {"category": {"data_type": "keyword", "points": 8}}


async def test_copied_twice_is_copied_once(twin: ServedTwin) -> None:
    async with database(twin) as shop:
        await shop.create_like("products-v1", "products-v2", SAME)
        for _ in range(2):
            await shop.copy("products-v1", "products-v2", start=None, most=100)
        assert await shop.count("products-v2") == 8


async def test_an_alias_that_is_new_is_made(twin: ServedTwin) -> None:
    async with database(twin) as shop:
        assert await shop.behind("goods") is None
        await shop.point_alias("goods", "products-v1", instead_of=None)
        assert await shop.behind("goods") == "products-v1"
        assert not await shop.exists("goods")


async def test_snapshots_are_made_and_listed(twin: ServedTwin) -> None:
    async with database(twin) as shop:
        made = await shop.snapshot("products-v1")
        assert await shop.snapshots("products-v1") == [made]


async def test_what_is_not_there_and_what_is_already_are_told(twin: ServedTwin) -> None:
    async with database(twin) as shop:
        with pytest.raises(NotFound, match="there is no collection 'none'"):
            await shop.count("none")
        with pytest.raises(Conflict):
            await shop.create_like("products-v1", "products-v1", SAME)


async def test_keys_that_are_wrong_or_may_too_little(twin: ServedTwin) -> None:
    async with database(twin, key="other") as shop:
        with pytest.raises(AuthDenied) as told:
            await shop.collections()
        assert type(told.value) is AuthDenied
    async with database(twin, key=READERS_CANARY) as shop:
        with pytest.raises(Forbidden):
            await shop.create_like("products-v1", "products-v2", SAME)


async def test_a_secret_that_lacks_something_is_told_by_its_place() -> None:
    with pytest.raises(AuthDenied, match=r"'qdrant/writers/\+' lacks api_key"):
        async with opened({"url": SecretStr("http://127.0.0.1:1")}, WRITERS):
            pass


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 400}, InvalidRequest),
        ({"kind": "status", "status": 403}, Forbidden),
        ({"kind": "status", "status": 429}, RateLimited),
        ({"kind": "status", "status": 500}, Unavailable),
        ({"kind": "status", "status": 503}, Unavailable),
        ({"kind": "status", "status": 507}, Locked),
        ({"kind": "garbage"}, MalformedAnswer),
        ({"kind": "status", "status": 200, "body": {"result": {"count": "many"}}}, MalformedAnswer),
        ({"kind": "drop"}, Unavailable),
    ],
)
async def test_a_bad_day_is_an_error_of_the_tree_and_the_next_try_succeeds(
    twin: ServedTwin, fault: dict[str, object], error: type[ConnectorError]
) -> None:
    twin.plant(**fault)
    async with database(twin) as shop:
        with pytest.raises(error) as told:
            await shop.count("products-v1")
        assert type(told.value) is error
        assert WRITERS_CANARY not in f"{told.value} {told.value.__cause__}"
        assert await shop.count("products-v1") == 8


async def test_how_long_to_wait_is_passed_on(twin: ServedTwin) -> None:
    twin.plant(kind="status", status=429, headers={"Retry-After": "7"})
    async with database(twin) as shop:
        with pytest.raises(RateLimited) as told:
            await shop.collections()
    assert told.value.retry_after == timedelta(seconds=7)


async def test_a_snapshot_whose_answer_is_lost_is_in_doubt(twin: ServedTwin) -> None:
    twin.plant(method="POST", path="snapshots", kind="drop_after_effect")
    async with database(twin) as shop:
        with pytest.raises(OutcomeUnknown):
            await shop.snapshot("products-v1")
        assert len(await shop.snapshots("products-v1")) == 1
