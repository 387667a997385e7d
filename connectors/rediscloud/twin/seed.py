"""Prepares Redis Cloud's twin: one account whose keys are this environment's own, with a subscription in it."""

import asyncio
import secrets

from pydantic import SecretStr, ValidationError

from connectors.rediscloud.copy import CopiedAccount
from connectors.rediscloud.manifest import DESTRUCTION, OWNER, VIEWER
from connectors.rediscloud.twin.app import TwinConfig, TwinSubscription
from connectors.twins import PreparedTwin, TwinPlace

_FILE = "rediscloud.json"


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _config(place)
    kept = place.keep(_FILE, config.model_dump_json(indent=2).encode())
    keys = {VIEWER.path: config.viewer, OWNER.path: config.owner, DESTRUCTION.path: config.destroyer}
    accounts = {
        path: {"api_key": SecretStr(config.api_key), "secret_key": SecretStr(key)} for path, key in keys.items()
    }
    return PreparedTwin(configuration=kept, secrets=accounts)


def _config(place: TwinPlace) -> TwinConfig:
    try:
        before = TwinConfig.model_validate_json(place.kept(_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        copied = place.copy(CopiedAccount)
        shop = (TwinSubscription(id=1206, name="shop"),) if place.copied is None else ()
        return TwinConfig(
            listen=place.listen,
            api_key=secrets.token_hex(16),
            viewer=secrets.token_hex(16),
            owner=secrets.token_hex(16),
            destroyer=secrets.token_hex(16),
            subscriptions=shop,
            copied=copied.subscriptions if copied else (),
        )
    return before.model_copy(update={"listen": place.listen})
