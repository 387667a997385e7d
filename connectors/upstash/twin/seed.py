"""Prepares Upstash's twin: one account whose key is this environment's own, with a cache in it."""

import asyncio
import secrets
from pathlib import Path

from pydantic import SecretStr, ValidationError

from connectors.twins import PreparedTwin, TwinPlace
from connectors.upstash.manifest import ACCOUNT
from connectors.upstash.twin.app import TwinConfig, TwinDatabase


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its key is kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    key = _key(place.kept("upstash.json"))
    cache = TwinDatabase(
        database_id="96ad0856-03b1-4ee7-9666-e81abd0349e1",
        database_name="shop-cache",
        read_regions=("eu-west-1",),
        password=f"embedded-{key}",
    )
    config = TwinConfig(listen=place.listen, email="platform@example.com", api_key=key, databases=(cache,))
    kept = place.keep("upstash.json", config.model_dump_json(indent=2).encode())
    account = {"email": SecretStr(config.email), "api_key": SecretStr(key)}
    return PreparedTwin(configuration=kept, secrets={ACCOUNT.path: account})


def _key(kept: Path) -> str:
    try:
        return TwinConfig.model_validate_json(kept.read_bytes()).api_key
    except (FileNotFoundError, ValidationError):
        return secrets.token_hex(16)
