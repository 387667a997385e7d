"""The client of Redis Cloud on its twin: prices, tasks, users, and every bad day."""

from unittest.mock import AsyncMock

import pytest
from pydantic import SecretStr

from connectors.creation import mark
from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from connectors.redis.cloud import marked, no_look
from connectors.redis.database import check_rights
from connectors.redis.models import Wanted
from connectors.redis.rights import Access, rule
from connectors.rediscloud.client import account
from tests.connectors.rediscloud.conftest import DESTROYER, OWNER, VIEWER, Opened
from tests.connectors.serving import ServedTwin

MARK = mark("provision-redis/rediscloud/cache")
WANTED = Wanted(name="cache", subscription="shop", memory_mb=256, most_usd=100)
NAME = marked("cache", MARK)
PASSWORD = SecretStr("consumer-password-canary")


def advance(twin: ServedTwin, seconds: float = 120) -> None:
    twin.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()


def posts(twin: ServedTwin, path: str = "/databases") -> int:
    """How often the twin did what a POST to this path does."""
    return sum(one["method"] == "POST" and one["handled"] and one["path"].endswith(path) for one in twin.requests())


async def made(opened: Opened, twin: ServedTwin) -> str:
    """The id of a database that serves."""
    async with opened() as cloud:
        created = await cloud.create(WANTED, NAME, last_look=no_look)
    advance(twin)
    return created.id


async def test_a_database_is_priced_by_what_it_adds_and_nothing_is_made(opened: Opened, twin: ServedTwin) -> None:
    await made(opened, twin)
    async with opened() as cloud:
        price = await cloud.price(WANTED.model_copy(update={"name": "second"}))
        assert price.usd_cents == 9226  # one shard more, 0.124 USD an hour
        assert "2 shards (Shards) at 0.124 USD per hour" in price.lines
        assert len(await cloud.carrying(WANTED, MARK)) == 1


async def test_a_database_is_made_then_pending_then_active(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as cloud:
        created = await cloud.create(WANTED, NAME, last_look=no_look)
        assert (created.name, created.state) == (NAME, "pending")
        pending = await cloud.find(created.id)
        assert (pending.state, pending.endpoint, pending.port) == ("pending", "", None)
        advance(twin)
        found = await cloud.find(NAME)
        assert (found.id, found.state, found.endpoint, found.tls) == (created.id, "active", "127.0.0.1", False)


async def test_nothing_is_made_that_costs_more_than_it_may(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as cloud:
        with pytest.raises(InvalidRequest, match=r"cost 92\.26 USD in a month, and may cost 92: nothing was made"):
            await cloud.create(WANTED.model_copy(update={"most_usd": 92}), NAME, last_look=no_look)
        assert await cloud.carrying(WANTED, MARK) == []


async def test_the_last_look_is_taken_after_the_price_and_right_before_the_create(
    opened: Opened, twin: ServedTwin
) -> None:
    look = AsyncMock(side_effect=Conflict("nobody waits for it"))
    async with opened() as cloud:
        with pytest.raises(Conflict, match="nobody waits"):
            await cloud.create(WANTED, NAME, last_look=look)
        assert posts(twin) == 1  # the dry run
        assert await cloud.carrying(WANTED, MARK) == []


async def test_a_name_is_taken_once(opened: Opened, twin: ServedTwin) -> None:
    await made(opened, twin)
    async with opened() as cloud:
        with pytest.raises(Conflict):
            await cloud.create(WANTED, NAME, last_look=no_look)


async def test_a_consumer_has_a_user_that_does_what_it_should_and_nothing_else(
    opened: Opened, twin: ServedTwin
) -> None:
    database = await made(opened, twin)
    async with opened() as cloud:
        for password in (PASSWORD, SecretStr("another-password")):
            login = await cloud.grant(database, "web", rule=rule("web:", Access.READ), password=password)
            await check_rights(login, prefix="web:", access=Access.READ)
        login = await cloud.grant(database, "web", rule=rule("web:", Access.WRITE), password=password)
        await check_rights(login, prefix="web:", access=Access.WRITE)
    assert login.user == f"banksman-web-{database}"
    assert posts(twin, "/acl/users") == posts(twin, "/acl/roles") == posts(twin, "/acl/redisRules") == 1


async def test_a_database_goes_with_its_users_and_those_of_others_stay(opened: Opened, twin: ServedTwin) -> None:
    database = await made(opened, twin)
    look = AsyncMock()
    async with opened(DESTROYER) as cloud:
        await cloud.grant(database, "web", rule=rule("web:", Access.READ), password=PASSWORD)
        assert await cloud.delete(database, name=NAME, last_look=look)
        assert look.await_count == 4
        with pytest.raises(NotFound, match="has no database"):
            await cloud.find(database)
        assert not await cloud.delete(database, name=NAME, last_look=look)
        assert look.await_count == 4
    headers = {"x-api-key": "rediscloud-account-canary-1", "x-api-secret-key": VIEWER}
    left = [twin.http.get(f"/acl/{kind}", headers=headers).json() for kind in ("users", "roles", "redisRules")]
    assert [left[0]["users"], left[1]["roles"]] == [[], []]
    assert [one["name"] for one in left[2]["redisRules"]] == ["Full-Access"]


async def test_a_database_that_was_renamed_is_kept(opened: Opened, twin: ServedTwin) -> None:
    database = await made(opened, twin)
    look = AsyncMock()
    async with opened(DESTROYER) as cloud:
        with pytest.raises(Conflict, match="it is kept"):
            await cloud.delete(database, name="another", last_look=look)
        assert (await cloud.find(database)).name == NAME
    look.assert_not_awaited()


async def test_a_viewer_creates_nothing_and_a_wrong_key_is_told(opened: Opened) -> None:
    async with opened(VIEWER) as cloud:
        with pytest.raises(Forbidden):
            await cloud.price(WANTED)
    async with opened("other") as cloud:
        with pytest.raises(AuthDenied) as told:
            await cloud.price(WANTED)
    assert OWNER not in str(told.value)
    with pytest.raises(AuthDenied, match="lack secret_key"):
        account({"api_key": SecretStr("a")})


async def test_names_that_are_none_are_told(opened: Opened) -> None:
    async with opened() as cloud:
        with pytest.raises(InvalidRequest, match="no subscription called 'nothing'"):
            await cloud.price(WANTED.model_copy(update={"subscription": "nothing"}))
        with pytest.raises(NotFound, match="no database 'nothing'"):
            await cloud.find("nothing")
        with pytest.raises(NotFound):
            await cloud.find("1206-999")
        with pytest.raises(InvalidRequest, match="no id of a database"):
            await cloud.grant("nothing", "web", rule="", password=PASSWORD)


@pytest.mark.parametrize("times", [1, 5])
async def test_a_task_that_is_not_shown_yet_is_waited_for(opened: Opened, twin: ServedTwin, times: int) -> None:
    twin.plant(path="/tasks/", kind="status", status=404, times=times)
    async with opened() as cloud:
        assert (await cloud.price(WANTED)).usd_cents == 9226


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500, "times": 3},
        {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}, "times": 2},
        {"kind": "drop", "times": 2},
        {"kind": "garbage"},
    ],
)
async def test_a_task_whose_look_fails_is_looked_at_again(
    opened: Opened, twin: ServedTwin, fault: dict[str, object]
) -> None:
    async with opened() as cloud:
        price = await cloud.price(WANTED)
        twin.plant(path="/tasks/", **fault)
        assert await cloud.price(WANTED) == price


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
    opened: Opened, twin: ServedTwin, fault: dict[str, object], error: type[ConnectorError], there: int
) -> None:
    async with opened() as cloud:
        price = cloud._price

        async def then_a_bad_day(*given: object) -> object:
            answer = await price(*given)  # pyright: ignore[reportArgumentType] - handed on as they are
            twin.plant(method="POST", path="/databases$", **fault)
            return answer

        cloud._price = then_a_bad_day  # pyright: ignore[reportAttributeAccessIssue] - the moment before the create
        with pytest.raises(error) as told:
            await cloud.create(WANTED, NAME, last_look=no_look)
        assert type(told.value) is error
    advance(twin)
    async with opened(VIEWER) as cloud:
        assert len(await cloud.carrying(WANTED, MARK)) == there


async def test_a_create_whose_task_is_lost_is_in_doubt(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as cloud:
        price = cloud._price

        async def then_lost(*given: object) -> object:
            answer = await price(*given)  # pyright: ignore[reportArgumentType] - handed on as they are
            twin.plant(path="/tasks/", kind="status", status=404, times=20)
            return answer

        cloud._price = then_lost  # pyright: ignore[reportAttributeAccessIssue] - the moment before the create
        with pytest.raises(OutcomeUnknown, match="nobody can tell what became of it"):
            await cloud.create(WANTED, NAME, last_look=no_look)


async def test_tasks_that_fail_are_told_by_their_code(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as cloud:
        with pytest.raises(InvalidRequest, match="DATABASE_NAME_TOO_LONG"):
            await cloud.create(WANTED, "a" * 41, last_look=no_look)


async def test_a_thousand_databases_are_read_in_pages(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as cloud:
        pages = [
            {
                "accountId": 1,
                "subscription": [
                    {
                        "subscriptionId": 1206,
                        "numberOfDatabases": 100,
                        "databases": [
                            {"databaseId": 100 * page + one, "name": f"d{100 * page + one}"} for one in range(100)
                        ],
                    }
                ],
            }
            for page in range(10)
        ]
        for page in pages:
            twin.plant(path="/1206/databases$", kind="status", status=200, body=page)
        found = [one async for one in cloud.databases("1206")]
    assert [one.database_id for one in found] == list(range(1000))
