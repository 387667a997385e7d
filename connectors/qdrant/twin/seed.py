"""Prepares Qdrant's twin: one account, its keys this environment's own, with a shop's search and an old cluster.

A third one is as the goal `ProvisionQdrant` has made it, with a collection filled, for the sample service needs it.
"""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from connectors.qdrant.copy import CopiedPackage, CopiedQdrant
from connectors.qdrant.manifest import BUYING_KEY, DELETING_KEY, READERS, READING_KEY, WRITERS, WRITING_KEY
from connectors.qdrant.twin.shapes import SeededDatabase, TwinConfig, TwinPackage
from connectors.twins import PreparedTwin, TwinPlace

STOREFRONT: Final = "storefront-search"
_COLLECTIONS: Final = {"shop-search": "products-v1", "shop-old": "products-v0", STOREFRONT: "products-v1"}
"""What stands behind the alias `products`, by cluster."""


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _config(place.kept("qdrant.json"), place.listen)
    if place.copied is not None:
        config = _of_copy(config, place.copies(CopiedQdrant))
    kept = place.keep("qdrant.json", config.model_dump_json(indent=2).encode())
    management = {
        READING_KEY.path: config.reading_key,
        WRITING_KEY.path: config.writing_key,
        BUYING_KEY.path: config.buying_key,
        DELETING_KEY.path: config.deleting_key,
    }
    account, url = SecretStr(config.account), SecretStr(f"http://{place.listen}")
    found = {path: {"account": account, "api_key": SecretStr(key)} for path, key in management.items()}
    for one in config.databases:
        for secret, key in ((READERS, one.readers), (WRITERS, one.writers)):
            found[secret.at(one.name)] = {"url": url, "api_key": SecretStr(key)}
    return PreparedTwin(configuration=kept, secrets=found)


def _of_copy(config: TwinConfig, copies: Sequence[CopiedQdrant]) -> TwinConfig:
    """The same with what was copied, and no example. Each database has keys of its own."""
    contents = {one.database.cluster: one.database for one in copies if one.database is not None}
    clusters = {one.name: one for copied in copies for one in copied.clusters}
    names = dict.fromkeys((*clusters, *contents))
    found = tuple(_with_keys(one, cluster=clusters.get(one), content=contents.get(one)) for one in names)
    packages = {one.package.id: _sold(one) for copied in copies for one in copied.packages}
    return config.model_copy(update={"databases": found, "packages": tuple(packages.values()) or config.packages})


def _with_keys(name: str, **more: Any) -> SeededDatabase:
    return SeededDatabase(name=name, readers=secrets.token_hex(16), writers=secrets.token_hex(16), **more)


def _sold(one: CopiedPackage) -> TwinPackage:
    return TwinPackage(unit_int_price_per_hour=one.millicents_per_hour, **one.package.model_dump())


def _config(kept: Path, listen: str) -> TwinConfig:
    try:
        config = TwinConfig.model_validate_json(kept.read_bytes())
    except (FileNotFoundError, ValidationError):
        reading, writing, buying, deleting = (secrets.token_hex(16) for _ in range(4))
        config = TwinConfig(
            account="6f0c9a1e-2c37-4a54-9d0b-7f3a2b6d1c55",
            reading_key=reading,
            writing_key=writing,
            buying_key=buying,
            deleting_key=deleting,
        )
    databases = (*config.databases, *_missing(config))
    return config.model_copy(update={"listen": listen, "databases": databases})


def _missing(config: TwinConfig) -> Iterator[SeededDatabase]:
    """Those that it has not: an environment that was made before one of them was added gets it, too."""
    for name, collection in _COLLECTIONS.items():
        if name not in {one.name for one in config.databases}:
            yield SeededDatabase(
                name=name,
                readers=secrets.token_hex(16),
                writers=secrets.token_hex(16),
                collection=collection,
                alias="products",
                goal=f"provision-qdrant/{name}" if name == STOREFRONT else "",
            )
