"""The step that looks at a database, at its own level: one credential, one secret, and nothing that opens anything."""

import dataclasses
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.redis.contracts import DatabaseSeen, LookAtDatabaseRequest
from activities.upstash.contracts import LOOK_AT_DATABASE
from activities.upstash.databases import UpstashDatabases, seller
from connectors.errors import AuthDenied, NotFound
from connectors.upstash.twin.app import create_twin
from hitl.protocol import PolicyContext
from tests.activities.played_vault import PlayedVault
from tests.connectors.serving import ServedTwin, served_twin
from tests.connectors.upstash.conftest import CONFIG, EMAIL, KEY_CANARY, PASSWORD_CANARY

SECRET = "upstash/account"
ACCOUNT = {"email": SecretStr(EMAIL), "api_key": SecretStr(KEY_CANARY)}


async def look(twin: ServedTwin, vault: PlayedVault, database: str) -> DatabaseSeen:
    steps = UpstashDatabases(seller(twin.url), vault)
    return await ActivityEnvironment().run(steps.look, LookAtDatabaseRequest(database=database))


@pytest.fixture
def twin() -> Iterator[ServedTwin]:
    with served_twin(create_twin(CONFIG)) as served:
        yield served


async def test_a_database_is_seen_without_what_opens_it(twin: ServedTwin) -> None:
    vault = PlayedVault({SECRET: ACCOUNT})
    seen = await look(twin, vault, "shop-cache")
    assert vault.asked == ["upstash-read"]
    assert (seen.id, seen.name, seen.state, seen.plan) == ("id-1", "shop-cache", "active", "paid")
    assert PASSWORD_CANARY not in seen.model_dump_json()


async def test_one_that_is_not_there_is_not_found(twin: ServedTwin) -> None:
    vault = PlayedVault({SECRET: ACCOUNT})
    with pytest.raises(NotFound):
        await look(twin, vault, "none")


async def test_a_secret_that_lacks_something_is_told_by_its_place(twin: ServedTwin) -> None:
    vault = PlayedVault({SECRET: {"email": ACCOUNT["email"]}})
    with pytest.raises(AuthDenied, match="'upstash/account' lacks api_key"):
        await look(twin, vault, "shop-cache")


def test_a_policy_can_speak_of_the_database() -> None:
    assert LookAtDatabaseRequest(database="shop-cache").policy_context() == PolicyContext(resource="shop-cache")
    assert LOOK_AT_DATABASE.credential is not None
    assert dataclasses.asdict(LOOK_AT_DATABASE.credential)["name"] == "upstash-read"
