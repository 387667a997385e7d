"""Prepares Upstash's twin: one account whose keys are this environment's own, with a cache in it."""

import asyncio
import secrets
from pathlib import Path

from pydantic import SecretStr, ValidationError

from connectors.twins import PreparedTwin, TwinPlace
from connectors.upstash.manifest import ACCOUNT, DESTRUCTION
from connectors.upstash.twin.app import TwinConfig, TwinDatabase


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    key, destroyer = _keys(place.kept("upstash.json"))
    cache = TwinDatabase(
        database_id="96ad0856-03b1-4ee7-9666-e81abd0349e1",
        database_name="shop-cache",
        read_regions=("eu-west-1",),
        password=f"embedded-{key}",
    )
    config = TwinConfig(
        listen=place.listen, email="platform@example.com", api_key=key, destroyer=destroyer, databases=(cache,)
    )
    kept = place.keep("upstash.json", config.model_dump_json(indent=2).encode())
    accounts = {
        ACCOUNT.path: {"email": SecretStr(config.email), "api_key": SecretStr(key)},
        DESTRUCTION.path: {"email": SecretStr(config.email), "api_key": SecretStr(destroyer)},
    }
    return PreparedTwin(configuration=kept, secrets=accounts)


def _keys(kept: Path) -> tuple[str, str]:
    try:
        config = TwinConfig.model_validate_json(kept.read_bytes())
    except (FileNotFoundError, ValidationError):
        return secrets.token_hex(16), secrets.token_hex(16)
    return config.api_key, config.destroyer or secrets.token_hex(16)
