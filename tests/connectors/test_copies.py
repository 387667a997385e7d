"""Copies for rehearsals: a twin made of one tells the same again; no secret is in one, nor is one taken for another."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import JsonValue, SecretStr

from connectors.copies import DESCRIBED, NOT_COPIED, CopiedState, CopyUnusable, read_copy, redacted
from connectors.estuary.client import Estuary
from connectors.estuary.copy import CopiedCatalog, copy_catalog
from connectors.estuary.manifest import ACCOUNT
from connectors.estuary.twin.state import Live
from connectors.http import Api
from connectors.neon import client as neon
from connectors.neon.copy import CopiedProject, copy_project
from connectors.neon.twin.seed import PROJECT
from connectors.provider import copied as copyable
from connectors.qdrant import manifest as qdrant_manifest
from connectors.qdrant.client import Account, ManagementKey, dialect
from connectors.qdrant.copy import CopiedQdrant, copied_database, copy_account
from connectors.qdrant.database import opened
from connectors.rediscloud import client as rediscloud
from connectors.rediscloud.copy import CopiedAccount as CopiedRedisCloud
from connectors.rediscloud.copy import copy_account as copy_rediscloud
from connectors.rediscloud.twin.databases import Database
from connectors.twins import PreparedTwin, Seed, TwinPlace
from connectors.upstash import client as upstash
from connectors.upstash.copy import CopiedAccount as CopiedUpstash
from connectors.upstash.copy import copy_account as copy_upstash
from tests.connectors.serving import ServedTwin, served_twin

CANARY = "canary-password-5f0c9a1e2c37"
Secrets = Mapping[str, Mapping[str, SecretStr]]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """How one is copied in these tests.

    Attributes:
        name: Its connector's.
        copy: By the address of its twin, and what Vault holds for it.
        fill: Puts something into the real twin that its example has not.
    """

    name: str
    model: type[CopiedState]
    copy: Callable[[str, Secrets], Awaitable[CopiedState]]
    fill: Callable[[Any], None] = lambda _: None
    posts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


async def of_upstash(url: str, secrets: Secrets) -> CopiedState:
    async with Api(upstash.DIALECT, base_url=url).open(upstash.account(secrets["upstash/account"])) as session:
        return await copy_upstash(session)


async def of_rediscloud(url: str, secrets: Secrets) -> CopiedState:
    auth = rediscloud.account(secrets["rediscloud/viewer"])
    async with Api(rediscloud.DIALECT, base_url=url).open(auth) as session:
        return await copy_rediscloud(session)


async def of_neon(url: str, secrets: Secrets) -> CopiedState:
    async with Api(neon.DIALECT, base_url=url).open(neon.credential(secrets["neon/key"])) as session:
        return await copy_project(session, PROJECT)


async def of_clusters(url: str, secrets: Secrets) -> CopiedState:
    key = ManagementKey.of(secrets["qdrant/reading-key"], qdrant_manifest.READING_KEY)
    async with Api(dialect(qdrant_manifest.READING_KEY), base_url=url).open(key.auth) as session:
        return await copy_account(Account(session, key.account), "aws/eu-central-1/free2")


async def of_database(url: str, secrets: Secrets) -> CopiedState:
    fields = {**secrets["qdrant/readers/shop-search"], "url": SecretStr(url)}
    async with opened(fields, qdrant_manifest.READERS) as database:
        collections = tuple([await database.described(one) for one in await database.collections()])
        return copied_database("shop-search", collections, await database.aliases())


async def of_estuary(url: str, secrets: Secrets) -> CopiedState:
    async with Estuary(ACCOUNT, base_url=url).open(secrets["estuary/account"]) as account:
        return await copy_catalog(account, "acme/")


def an_open_secret(twin: Any) -> None:
    model: JsonValue = {
        "endpoint": {"connector": {"image": "i", "config": {"password": CANARY, "key_sops": "ENC[AES256_GCM,x]"}}}
    }
    twin.catalog.live["acme/shop/hook"] = Live(type="capture", model=model, pub_id="0a:00:00:00:00:00:00:aa", at=0)


def a_database(twin: Any) -> None:
    twin.state.databases[61] = Database(
        subscription=1206, id=61, name="shop-cache", size=1, eviction="noeviction", password=CANARY, status="active"
    )


PROVIDERS = (
    Provider(name="upstash", model=CopiedUpstash, copy=of_upstash),
    Provider(name="rediscloud", model=CopiedRedisCloud, copy=of_rediscloud, fill=a_database),
    Provider(name="neon", model=CopiedProject, copy=of_neon),
    Provider(name="qdrant", model=CopiedQdrant, copy=of_clusters, posts=("/quote",)),
    Provider(name="qdrant", model=CopiedQdrant, copy=of_database, posts=("/count",)),
    Provider(
        name="estuary", model=CopiedCatalog, copy=of_estuary, fill=an_open_secret, posts=("/graphql", "/auth/token")
    ),
)


@contextlib.asynccontextmanager
async def standing(
    provider: Provider, root: Path, copied: Path | None
) -> AsyncGenerator[tuple[ServedTwin, Any, PreparedTwin]]:
    """A twin as an environment makes it."""

    def keep(name: str, content: bytes) -> Path:
        file = root / "twins" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    seed = cast("Seed", import_module(f"connectors.{provider.name}.twin.seed"))
    place = TwinPlace(root=root, listen="127.0.0.1:1", repositories={}, keep=keep, copied=copied)
    prepared = await seed.prepare(place)
    module = import_module(f"connectors.{provider.name}.twin.app")
    app = module.create_twin(module.TwinConfig.model_validate_json(prepared.configuration.read_bytes()))
    with served_twin(app) as twin:
        try:
            yield twin, app.state.twin, prepared
        finally:
            getattr(app.state.twin, "stop", lambda: None)()


def laid(root: Path, provider: str, content: bytes) -> Path:
    file = root / "copied" / provider / DESCRIBED
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return root / "copied"


def told(copied: CopiedState) -> object:
    """All of it but where it is reached, which is the twin's own."""
    text = re.sub(r'"url": "[^"]*"', '"url": ""', json.dumps(copied.model_dump(mode="json"), sort_keys=True))
    return json.loads(re.sub(r'"rest_port": \d+', '"rest_port": 0', text))


def secrets_in(prepared: PreparedTwin) -> Iterator[str]:
    """Whatever opens anything of a twin: what Vault holds for it, and the passwords of its configuration."""
    for fields in prepared.secrets.values():
        yield from (one.get_secret_value() for name, one in fields.items() if name not in {"url", "email", "account"})
    yield from re.findall(r'"(?:password|rest_token|readers|writers)": "([^"]+)"', prepared.configuration.read_text())


@pytest.mark.parametrize("provider", PROVIDERS, ids=str)
async def test_a_twin_made_of_a_copy_tells_the_same_again_and_the_real_one_was_only_read(
    provider: Provider, tmp_path: Path
) -> None:
    async with standing(provider, tmp_path / "real", None) as (twin, inside, prepared):
        provider.fill(inside)
        copied = await provider.copy(twin.url, prepared.secrets)
        changing = [one["path"] for one in twin.requests() if one["method"] != "GET"]
        opens = {*secrets_in(prepared), CANARY}
    assert [one for one in changing if not one.endswith(provider.posts or ("\n",))] == []
    content = copied.document()
    assert [one for one in opens if one in content.decode()] == []
    folder = await asyncio.to_thread(laid, tmp_path, provider.name, content)
    async with standing(provider, tmp_path / "made", folder) as (twin, _, prepared):
        again = await provider.copy(twin.url, prepared.secrets)
        own = set(secrets_in(prepared))
    assert told(again) == told(redacted(copied))
    assert own.isdisjoint(opens)


@pytest.mark.parametrize("provider", [*PROVIDERS[:4], PROVIDERS[-1]], ids=str)
async def test_where_nothing_of_a_provider_was_copied_its_twin_is_empty(provider: Provider, tmp_path: Path) -> None:
    """No example stands in for what is real."""
    (tmp_path / "copied").mkdir()
    async with standing(provider, tmp_path / "made", tmp_path / "copied") as (_, inside, prepared):
        text = prepared.configuration.read_text()
        del inside
    assert "shop" not in text


@pytest.mark.parametrize("provider", PROVIDERS, ids=str)
@pytest.mark.parametrize("content", ['{"of": "github", "part": ""}', "[]", "{", '{"of": "NAME", "pass": 1}'])
def test_what_is_a_copy_of_something_else_or_none_is_refused_by_name(
    tmp_path: Path, provider: Provider, content: str
) -> None:
    folder = laid(tmp_path, provider.name, content.replace("NAME", provider.name).encode())
    with pytest.raises(CopyUnusable, match=f"the copy of '{provider.name}' cannot be used"):
        read_copy(folder, provider.model)


def test_a_copy_of_another_provider_is_refused_also_where_its_fields_fit(tmp_path: Path) -> None:
    folder = laid(tmp_path, "upstash", b'{"of": "rediscloud", "databases": []}')
    with pytest.raises(CopyUnusable, match="is a copy of 'rediscloud', and not of 'upstash'"):
        read_copy(folder, CopiedUpstash)


@pytest.mark.parametrize("secret", ["ghp_" + "a1B2" * 9, "postgresql://app:open-sesame@db.example/orders"])
def test_what_people_put_elsewhere_and_looks_like_a_secret_is_not_copied(secret: str) -> None:
    database = {"id": "1", "name": f"cache {secret}", "state": "active", "modifying": "", "endpoint": "e", "port": 1}
    database |= {"tls": True, "region": "r", "read_regions": [], "plan": "", "budget": None, "eviction": None}
    copied = CopiedUpstash.model_validate({"of": "upstash", "databases": [database]})
    assert secret not in copied.document().decode()
    assert redacted(copied).databases[0].name == NOT_COPIED


def test_every_provider_that_is_copied_says_what_stays_behind() -> None:
    found = copyable()
    assert {one.name for one in PROVIDERS} <= found.keys()
    assert all(one.what and one.leaves for one in found.values())


def test_a_project_whose_branches_do_not_hang_together_is_none() -> None:
    with pytest.raises(ValueError, match="not one default branch"):
        CopiedProject(of="neon", part="p", name="p", branches=())


def test_a_catalog_with_what_another_tenant_has_is_none() -> None:
    foreign = {"name": "evil/flow", "type": "capture", "publication": "0a", "model": {}}
    with pytest.raises(ValueError, match="not below the prefix 'acme/'"):
        CopiedCatalog.model_validate({"of": "estuary", "part": "acme/", "specs": [foreign]})
