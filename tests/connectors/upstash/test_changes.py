"""What Upstash is asked to change: on its twin, over real servers, and on every bad day."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from unittest.mock import AsyncMock

import pytest
from pydantic import SecretStr

from connectors.creation import mark
from connectors.errors import (
    Conflict,
    ConnectorError,
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from connectors.http import Api, Session
from connectors.redis.cloud import marked, no_look
from connectors.redis.database import check_rights
from connectors.redis.models import Wanted
from connectors.redis.rights import Access, rule
from connectors.upstash.client import DIALECT, UpstashCloud, account
from tests.connectors.serving import ServedTwin
from tests.connectors.upstash.conftest import EMAIL, KEY_CANARY

MARK = mark("provision-redis/upstash/cache")
NAME = marked("cache", MARK)
WANTED = Wanted(name="cache", region="eu-west-1", most_usd=10)
PASSWORD = SecretStr("consumer-password-canary")


@asynccontextmanager
async def opened(twin: ServedTwin) -> AsyncGenerator[Session]:
    auth = account({"email": SecretStr(EMAIL), "api_key": SecretStr(KEY_CANARY)})
    async with Api(DIALECT, base_url=twin.url).open(auth) as session:
        yield session


async def test_a_price_is_the_budget_and_the_free_plan_costs_nothing(twin: ServedTwin) -> None:
    async with opened(twin) as session:
        cloud = UpstashCloud(session)
        assert (await cloud.price(WANTED)).usd_cents == 1000
        free = WANTED.model_copy(update={"most_usd": 0})
        assert (await cloud.price(free)).usd_cents == 0
        assert (await cloud.find((await cloud.create(free, NAME, last_look=no_look)).id)).plan == "free"
        with pytest.raises(InvalidRequest, match="name a region"):
            await cloud.price(WANTED.model_copy(update={"region": ""}))


@pytest.mark.parametrize("region", ["eu-west-1", "europe-west1"])
async def test_a_database_is_made_at_once_and_found_by_its_mark(twin: ServedTwin, region: str) -> None:
    async with opened(twin) as session:
        cloud = UpstashCloud(session)
        created = await cloud.create(WANTED.model_copy(update={"region": region}), NAME, last_look=no_look)
        assert await cloud.carrying(WANTED, MARK) == [await cloud.find(NAME)]
        assert (created.name, created.state, created.primary_region, created.budget) == (NAME, "active", region, 10)


async def test_a_consumer_does_what_it_should_and_nothing_else(twin: ServedTwin) -> None:
    async with opened(twin) as session:
        cloud = UpstashCloud(session)
        created = await cloud.create(WANTED, NAME, last_look=no_look)
        login = await cloud.grant(created.id, "web", rule=rule("web:", Access.WRITE), password=PASSWORD)
    await check_rights(login, prefix="web:", access=Access.WRITE)


async def test_a_database_goes_under_its_own_name_alone_and_once(twin: ServedTwin) -> None:
    look = AsyncMock()
    async with opened(twin) as session:
        cloud = UpstashCloud(session)
        created = await cloud.create(WANTED, NAME, last_look=no_look)
        with pytest.raises(Conflict, match=f"is called {NAME!r} by now: it is kept"):
            await cloud.delete(created.id, name="other", last_look=look)
        look.assert_not_awaited()
        assert await cloud.delete(created.id, name=NAME, last_look=look)
        assert not await cloud.delete(created.id, name=NAME, last_look=look)
        look.assert_awaited_once()


@pytest.mark.parametrize(
    ("fault", "error", "there"),
    [
        ({"kind": "drop"}, OutcomeUnknown, 0),
        ({"kind": "drop_after_effect"}, OutcomeUnknown, 1),
        ({"kind": "garbage"}, OutcomeUnknown, 0),
        ({"kind": "status", "status": 500}, OutcomeUnknown, 0),
        ({"kind": "status", "status": 503}, Unavailable, 0),
        ({"kind": "rate_limit"}, RateLimited, 0),
        ({"kind": "status", "status": 400}, InvalidRequest, 0),
    ],
)
async def test_a_create_in_doubt_says_so_and_every_other_error_made_nothing(
    twin: ServedTwin, fault: dict[str, object], error: type[ConnectorError], there: int
) -> None:
    twin.plant(method="POST", path="/redis/database$", **fault)
    async with opened(twin) as session:
        with pytest.raises(error) as told:
            await UpstashCloud(session).create(WANTED, NAME, last_look=no_look)
        assert type(told.value) is error
    async with opened(twin) as session:
        assert len(await UpstashCloud(session).carrying(WANTED, MARK)) == there


@pytest.mark.parametrize("kind", ["drop", "drop_after_effect"])
async def test_a_deletion_whose_answer_is_lost_is_tried_again(twin: ServedTwin, kind: str) -> None:
    async with opened(twin) as session:
        cloud = UpstashCloud(session)
        created = await cloud.create(WANTED, NAME, last_look=no_look)
        twin.plant(method="DELETE", kind=kind)
        with pytest.raises(Unavailable):
            await cloud.delete(created.id, name=NAME, last_look=AsyncMock())
        assert await cloud.delete(created.id, name=NAME, last_look=AsyncMock()) is (kind == "drop")
