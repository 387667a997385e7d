"""What services are answered by what they need: a real Vault, Valkey, PostgreSQL and the twin's collections.

The token is the platform's own, with its own policy, so that what it must not reach is tried here as well.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from pydantic import JsonValue, SecretStr

from connectors.creation import mark
from connectors.neon.twin.app import create_twin as create_neon
from connectors.qdrant.twin.app import create_twin as create_qdrant
from connectors.qdrant.twin.shapes import SeededDatabase
from connectors.qdrant.twin.shapes import TwinConfig as QdrantConfig
from connectors.redis.database import Login, Place, set_user
from connectors.redis.rights import Access, rule
from connectors.twins.valkey import HOST, Valkey
from deploy.local.platform.consumers import login_wanted
from deploy.local.platform.needs import Asked
from deploy.local.platform.stores import Stores
from deploy.local.vault import platform_rights
from tests.connectors.neon.at_neon import MAIN, AtNeon, config
from tests.connectors.serving import served_twin
from tests.connectors.vault.conftest import vault_server
from tests.connectors.vault.server import House, VaultServer
from workflows.manifest.needs import NeonNeed, QdrantNeed, RedisNeed

__all__ = ["vault_server"]  # a fixture, shared

pytestmark = pytest.mark.timeout(180)

_CANARY: Final = "consumer-password-canary"
_READER: Final = "reading-key-canary"
_CACHE: Final = "upstash/databases/96ad0856/storefront"
PRODUCTS: Final = NeonNeed(name="products", project="shop-1", database="shop")
CACHE: Final = RedisNeed.model_validate(
    {
        "provider": "upstash",
        "name": "cache",
        "region": "eu-west-1",
        "most_usd": 0,
        "consumers": [{"name": "storefront", "prefix": "storefront:"}],
    }
)
SEARCH: Final = QdrantNeed(name="search", provider="aws", region="eu-central-1", package="free2")
NEEDS: Final[Mapping[str, Asked]] = {one.name: one for one in (PRODUCTS, CACHE, SEARCH)}


@dataclass(frozen=True)
class Platform:
    """The platform's view of its needs."""

    stores: Stores
    server: VaultServer
    token: SecretStr

    async def ask(self, path: str, question: object) -> tuple[int, dict[str, Any]]:
        """A status, and what it says."""
        said = await self.stores.ask(NEEDS, path, json.dumps(question).encode())
        assert _CANARY.encode() not in said.body
        assert _READER.encode() not in said.body
        return said.status, json.loads(said.body)

    def keep(self, path: str, **fields: str) -> None:
        """Vault has it."""
        self.server.admin("POST", f"banksman/data/{path}", {"data": dict(fields)})


@pytest_asyncio.fixture
async def platform(vault_server: VaultServer) -> AsyncIterator[Platform]:
    house = await House.build(vault_server)
    vault_server.admin("PUT", "sys/policies/acl/embedded-platform", {"policy": platform_rights()})
    body: dict[str, JsonValue] = {"policies": ["embedded-platform"], "no_default_policy": True, "period": "1h"}
    made: Any = vault_server.admin("POST", "auth/token/create-orphan", body)
    token = SecretStr(made["auth"]["client_token"])
    yield Platform(Stores(vault_server.address, token), vault_server, token)
    await house.close()


@pytest_asyncio.fixture
async def cache(platform: Platform) -> AsyncIterator[Valkey]:
    valkey = Valkey(SecretStr("admin"))
    try:
        await valkey.ready()
        admin = Login(place=Place(host=HOST, port=valkey.port, tls=False), password=SecretStr("admin"))
        await set_user(admin, user="storefront", password=SecretStr(_CANARY), rule=rule("storefront:", Access.WRITE))
        told = {"host": HOST, "port": str(valkey.port), "tls": "false", "username": "storefront"}
        # Of a database that is gone, and was there before this one.
        platform.keep("upstash/databases/00000000/storefront", **{**told, "port": "1"}, password="old")
        platform.keep(_CACHE, **told, password=_CANARY)
        yield valkey
    finally:
        valkey.stop()


@pytest.fixture
def database(platform: Platform, tmp_path: Path) -> Iterator[None]:
    with served_twin(create_neon(config(tmp_path))) as served:
        query = {"branch_id": MAIN, "database_name": "shop", "role_name": "shop_owner"}
        uri = AtNeon(served).ask("GET", "/connection_uri", params=query)["uri"]
        path = f"neon/logins/{mark(login_wanted(PRODUCTS).business_key())}"
        platform.keep(path, uri=uri, username="shop_owner", password="p")
        yield


@pytest.fixture
def collection(platform: Platform) -> Iterator[None]:
    seeded = SeededDatabase(name="search", readers=_READER, writers="w", collection="products-v1", alias="products")
    twin = QdrantConfig(
        account="a", reading_key="r", writing_key="w", buying_key="b", deleting_key="d", databases=(seeded,)
    )
    with served_twin(create_qdrant(twin)) as served:
        platform.keep("qdrant/readers/search", url=served.url, api_key=_READER)
        yield


async def test_the_cache_counts_by_the_newest_login_and_for_its_own_keys_alone(
    platform: Platform, cache: Valkey
) -> None:
    assert [await platform.ask("/cache", ["INCR", "storefront:visits"]) for _ in range(2)] == [
        (200, {"result": 1}),
        (200, {"result": 2}),
    ]
    assert (await platform.ask("/cache", ["GET", "session:of-others"]))[0] == 503
    assert (await platform.ask("/cache", ["INCR"]))[0] == 400
    assert (await platform.ask("/cache", {"INCR": 1}))[0] == 400
    cache.stop()
    assert await platform.ask("/cache", ["GET", "storefront:visits"]) == (503, {"error": "cache does not answer"})


@pytest.mark.usefixtures("database")
async def test_the_database_answers_one_statement(platform: Platform) -> None:
    assert await platform.ask("/products", {"query": "SELECT 1, 'a', now()::date > '2000-01-01'"}) == (
        200,
        {"rows": [[1, "a", True]]},
    )
    status, told = await platform.ask("/products", {"query": "SELECT nothing FROM nowhere"})
    assert status == 400
    assert 'relation "nowhere" does not exist' in told["error"]
    assert (await platform.ask("/products", {"sql": "SELECT 1"}))[0] == 400
    assert (await platform.ask("/products", {"query": "SELECT repeat('x', 2000000)"}))[0] == 413


@pytest.mark.usefixtures("collection")
async def test_the_collection_is_searched_and_nothing_else(platform: Platform) -> None:
    status, told = await platform.ask("/search/collections/products/points/query", {"query": 1, "limit": 2})
    assert status == 200
    assert len(told["result"]["points"]) == 2
    for path in (
        "/search/collections/products",
        "/search/collections/products/points",
        "/search/../cluster",
        "/search",
    ):
        assert (await platform.ask(path, {"points": []}))[0] == 400


async def test_what_nobody_provided_is_said_with_the_way_out(platform: Platform) -> None:
    needs = {"orders": NeonNeed(name="orders", project="other-1", database="orders")}
    said = await platform.stores.ask(needs, "/orders", b'{"query": "SELECT 1"}')
    assert said.status == 503
    assert "orders has no login: `banksman run IssueNeonLogin --input " in said.body.decode()
    unsaid = {"orders": NeonNeed(name="orders", project="other-1")}
    assert b"names no `database`" in (await platform.stores.ask(unsaid, "/orders", b'{"query": "SELECT 1"}')).body


async def test_a_service_has_its_own_needs_alone(platform: Platform) -> None:
    status, told = await platform.ask("/orders", {"query": "SELECT 1"})
    assert status == 404
    assert told["error"] == "this service has no need 'orders': its manifest names products, cache, search"


@pytest.mark.parametrize(
    "path",
    ["github/app", "slack/app", "neon/key", "neon/connections/one", "upstash/account", "qdrant/writers/search"],
)
async def test_its_token_reads_no_key_of_a_provider(platform: Platform, path: str) -> None:
    platform.keep(path, key="secret")
    assert platform.server.status("GET", f"banksman/data/{path}", platform.token) == 403
    assert platform.server.status("LIST", "banksman/metadata/", platform.token) == 403
    assert platform.server.status("POST", f"banksman/data/{_CACHE}", platform.token) == 403
