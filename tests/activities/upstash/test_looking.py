"""The step that looks at a database, at its own level: one credential, one secret, and nothing that opens anything."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.redis.contracts import DatabaseSeen, LookAtDatabaseRequest
from activities.secrets import KeepingToken
from activities.upstash.contracts import LOOK_AT_DATABASE
from activities.upstash.databases import UpstashDatabases, seller
from connectors.errors import AuthDenied, NotFound
from connectors.upstash.twin.app import create_twin
from hitl.protocol import PolicyContext
from tests.connectors.serving import ServedTwin, served_twin
from tests.connectors.upstash.conftest import CONFIG, EMAIL, KEY_CANARY, PASSWORD_CANARY

ACCOUNT = {"email": SecretStr(EMAIL), "api_key": SecretStr(KEY_CANARY)}


@dataclass
class Vault:
    """Gives one secret, by one credential."""

    secret: Mapping[str, SecretStr] = field(default_factory=lambda: ACCOUNT)
    asked: list[str] = field(default_factory=list[str])

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[KeepingToken]:
        assert metadata.keys() == {"workflow_id", "run_id", "attempt"}
        assert timedelta(minutes=1) < ttl < timedelta(minutes=15)
        self.asked.append(action)
        yield self

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        self.asked.append(path)
        return self.secret

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        raise AssertionError("a look writes nothing")

    async def delete(self, path: str) -> None:
        raise AssertionError("a look deletes nothing")

    async def list(self, path: str) -> list[str]:
        raise AssertionError("a look lists nothing")

    def release_soon(self) -> None:
        self.asked.append("released")


async def look(twin: ServedTwin, vault: Vault, database: str) -> DatabaseSeen:
    steps = UpstashDatabases(seller(twin.url), vault)
    return await ActivityEnvironment().run(steps.look, LookAtDatabaseRequest(database=database))


@pytest.fixture
def twin() -> Iterator[ServedTwin]:
    with served_twin(create_twin(CONFIG)) as served:
        yield served


async def test_a_database_is_seen_without_what_opens_it(twin: ServedTwin) -> None:
    vault = Vault()
    seen = await look(twin, vault, "shop-cache")
    assert vault.asked == ["upstash-read", "upstash/account", "released"]
    assert (seen.id, seen.name, seen.state, seen.plan) == ("id-1", "shop-cache", "active", "paid")
    assert PASSWORD_CANARY not in seen.model_dump_json()


async def test_one_that_is_not_there_is_not_found(twin: ServedTwin) -> None:
    vault = Vault()
    with pytest.raises(NotFound):
        await look(twin, vault, "none")


async def test_a_secret_that_lacks_something_is_told_by_its_place(twin: ServedTwin) -> None:
    vault = Vault({"email": ACCOUNT["email"]})
    with pytest.raises(AuthDenied, match="'upstash/account' lacks api_key"):
        await look(twin, vault, "shop-cache")


def test_a_policy_can_speak_of_the_database() -> None:
    assert LookAtDatabaseRequest(database="shop-cache").policy_context() == PolicyContext(resource="shop-cache")
    assert LOOK_AT_DATABASE.credential is not None
    assert dataclasses.asdict(LOOK_AT_DATABASE.credential)["name"] == "upstash-read"
