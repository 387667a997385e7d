"""Prepares Qdrant's twin: one account whose keys are this environment's own, with one cluster for a shop's search."""

import asyncio
import secrets
from pathlib import Path

from pydantic import SecretStr, ValidationError

from connectors.qdrant.manifest import BUYING_KEY, READERS, READING_KEY, WRITERS, WRITING_KEY
from connectors.qdrant.twin.app import SeededDatabase, TwinConfig
from connectors.twins import PreparedTwin, TwinPlace

_CLUSTER = "shop-search"


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _config(place.kept("qdrant.json"), place.listen)
    kept = place.keep("qdrant.json", config.model_dump_json(indent=2).encode())
    management = {
        READING_KEY.path: config.reading_key,
        WRITING_KEY.path: config.writing_key,
        BUYING_KEY.path: config.buying_key,
    }
    account, url = SecretStr(config.account), SecretStr(f"http://{place.listen}")
    found = {path: {"account": account, "api_key": SecretStr(key)} for path, key in management.items()}
    for one in config.databases:
        for secret, key in ((READERS, one.readers), (WRITERS, one.writers)):
            found[secret.at(one.name)] = {"url": url, "api_key": SecretStr(key)}
    return PreparedTwin(configuration=kept, secrets=found)


def _config(kept: Path, listen: str) -> TwinConfig:
    try:
        return TwinConfig.model_validate_json(kept.read_bytes()).model_copy(update={"listen": listen})
    except (FileNotFoundError, ValidationError):
        reading, writing, buying, readers, writers = (secrets.token_hex(16) for _ in range(5))
        search = SeededDatabase(
            name=_CLUSTER, readers=readers, writers=writers, collection="products-v1", alias="products"
        )
        return TwinConfig(
            listen=listen,
            account="6f0c9a1e-2c37-4a54-9d0b-7f3a2b6d1c55",
            reading_key=reading,
            writing_key=writing,
            buying_key=buying,
            databases=(search,),
        )
