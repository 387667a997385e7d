"""The client of Upstash on its twin: what it tells, what it never tells, and every bad day."""

import json
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connectors.errors import (
    AuthDenied,
    ConnectorError,
    Forbidden,
    InvalidRequest,
    MalformedAnswer,
    NotFound,
    RateLimited,
    Unavailable,
)
from connectors.http import Api
from connectors.upstash.client import DIALECT, account, find_database
from connectors.upstash.models import Database
from connectors.upstash.twin.app import TwinDatabase, create_twin
from tests.connectors.serving import ServedTwin, served_twin
from tests.connectors.upstash.conftest import CONFIG, EMAIL, KEY_CANARY, PASSWORD_CANARY


async def look(twin: ServedTwin, name: str = "shop-cache", *, key: str = KEY_CANARY) -> Database:
    auth = account({"email": SecretStr(EMAIL), "api_key": SecretStr(key)})
    async with Api(DIALECT, base_url=twin.url).open(auth) as session:
        return await find_database(session, name)


@pytest.mark.parametrize("name", ["shop-cache", "id-1"])
async def test_a_database_is_found_by_its_name_or_its_id(twin: ServedTwin, name: str) -> None:
    found = await look(twin, name)
    assert (found.database_id, found.database_name, found.state) == ("id-1", "shop-cache", "active")
    assert found.read_regions == ("eu-west-1",)


async def test_a_thousand_databases_are_all_read() -> None:
    many = tuple(TwinDatabase(database_id=f"id-{number}", database_name=f"db-{number}") for number in range(1_001))
    app = create_twin(CONFIG.model_copy(update={"databases": many}))
    try:
        with served_twin(app) as twin:
            assert (await look(twin, "db-1000")).database_id == "id-1000"
    finally:
        app.state.twin.stop()


async def test_what_opens_a_database_is_not_kept(twin: ServedTwin) -> None:
    assert PASSWORD_CANARY in twin.http.get("/redis/databases", auth=(EMAIL, KEY_CANARY)).text
    assert PASSWORD_CANARY not in str((await look(twin)).model_dump())


async def test_a_name_that_is_none_and_one_that_two_have_are_told(twin: ServedTwin) -> None:
    with pytest.raises(NotFound, match="no database 'nothing'"):
        await look(twin, "nothing")
    with pytest.raises(InvalidRequest, match="2 databases called 'twice': name one by its id, of id-2, id-3"):
        await look(twin, "twice")


async def test_a_wrong_key_is_told_with_the_place_of_the_right_one(twin: ServedTwin) -> None:
    with pytest.raises(
        AuthDenied, match="put e-mail and API key of the account into Vault at banksman/upstash"
    ) as told:
        await look(twin, key="other")
    assert KEY_CANARY not in str(told.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 403}, Forbidden),
        ({"kind": "status", "status": 400}, InvalidRequest),
        ({"kind": "status", "status": 429}, RateLimited),
        ({"kind": "status", "status": 500}, Unavailable),
        ({"kind": "garbage"}, MalformedAnswer),
        ({"kind": "drop"}, Unavailable),
        ({"kind": "drop_after_effect"}, Unavailable),
    ],
)
@pytest.mark.parametrize("path", ["databases", "database/"])
async def test_a_bad_day_is_an_error_of_the_tree_and_the_next_try_succeeds(
    twin: ServedTwin, fault: dict[str, object], error: type[ConnectorError], path: str
) -> None:
    twin.plant(path=f"{path}", **fault)
    with pytest.raises(error) as told:
        await look(twin)
    assert type(told.value) is error
    assert (await look(twin)).database_id == "id-1"


async def test_how_long_to_wait_is_passed_on(twin: ServedTwin) -> None:
    twin.plant(kind="status", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited) as told:
        await look(twin)
    assert told.value.retry_after == timedelta(seconds=7)


async def test_a_database_that_goes_between_list_and_look_is_not_found(twin: ServedTwin) -> None:
    twin.plant(path="database/", kind="status", status=404)
    with pytest.raises(NotFound, match="went while it was looked at"):
        await look(twin)


async def test_an_answer_without_what_is_needed_is_told_without_its_content(twin: ServedTwin) -> None:
    twin.plant(path="databases", kind="status", status=200, body=json.dumps([{"password": PASSWORD_CANARY}]))
    with pytest.raises(Unavailable, match="is not as described") as told:
        await look(twin)
    assert PASSWORD_CANARY not in f"{told.value} {told.value.__context__} {told.value.__cause__}"
