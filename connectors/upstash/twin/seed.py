"""Prepares Upstash's twin: one account whose keys are this environment's own, with a cache in it."""

import asyncio
import secrets
from pathlib import Path

from pydantic import SecretStr, ValidationError

from connectors.twins import PreparedTwin, TwinPlace
from connectors.upstash.copy import CopiedAccount
from connectors.upstash.manifest import ACCOUNT, DESTRUCTION
from connectors.upstash.twin.app import TwinConfig, TwinDatabase


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    key, destroyer = _keys(place.kept("upstash.json"))
    config = TwinConfig(
        listen=place.listen,
        email="platform@example.com",
        api_key=key,
        destroyer=destroyer,
        databases=_example(key) if place.copied is None else _copied(place.copy(CopiedAccount)),
        serves=place.copied is not None,
    )
    kept = place.keep("upstash.json", config.model_dump_json(indent=2).encode())
    accounts = {
        ACCOUNT.path: {"email": SecretStr(config.email), "api_key": SecretStr(key)},
        DESTRUCTION.path: {"email": SecretStr(config.email), "api_key": SecretStr(destroyer)},
    }
    return PreparedTwin(configuration=kept, secrets=accounts)


def _example(key: str) -> tuple[TwinDatabase, ...]:
    cache = TwinDatabase(
        database_id="96ad0856-03b1-4ee7-9666-e81abd0349e1",
        database_name="shop-cache",
        read_regions=("eu-west-1",),
        password=f"embedded-{key}",
    )
    return (cache,)


def _copied(account: CopiedAccount | None) -> tuple[TwinDatabase, ...]:
    """As they were copied, with passwords of their own."""
    made = TwinDatabase.model_fields
    return tuple(
        TwinDatabase(
            database_id=one.id,
            database_name=one.name,
            type=one.plan,
            state=one.state,
            modifying_state=one.modifying,
            endpoint=one.endpoint,
            port=made["port"].default if one.port is None else one.port,
            tls=made["tls"].default if one.tls is None else one.tls,
            primary_region=one.region,
            read_regions=one.read_regions,
            budget=made["budget"].default if one.budget is None else one.budget,
            eviction=bool(one.eviction),
            password=secrets.token_hex(16),
        )
        for one in (account.databases if account else ())
    )


def _keys(kept: Path) -> tuple[str, str]:
    try:
        config = TwinConfig.model_validate_json(kept.read_bytes())
    except (FileNotFoundError, ValidationError):
        return secrets.token_hex(16), secrets.token_hex(16)
    return config.api_key, config.destroyer or secrets.token_hex(16)
