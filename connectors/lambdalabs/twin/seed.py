"""Prepares the twin of Lambda's cloud: an account with two keys of this environment's own."""

import asyncio
import secrets
from pathlib import Path

from pydantic import SecretStr, ValidationError

from connectors.lambdalabs.manifest import BUYING_KEY, KEY
from connectors.lambdalabs.twin.shapes import TwinConfig
from connectors.twins import PreparedTwin, TwinPlace

_FILE = "lambdalabs.json"


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _config(place.kept(_FILE), place.listen)
    kept = place.keep(_FILE, config.model_dump_json(indent=2).encode())
    key, buying = (SecretStr(one) for one in config.keys)
    return PreparedTwin(configuration=kept, secrets={KEY.path: {"key": key}, BUYING_KEY.path: {"key": buying}})


def _config(kept: Path, listen: str) -> TwinConfig:
    try:
        return TwinConfig.model_validate_json(kept.read_bytes()).model_copy(update={"listen": listen})
    except (FileNotFoundError, ValidationError):
        keys = (f"secret_{secrets.token_hex(16)}", f"secret_{secrets.token_hex(16)}")
        return TwinConfig(listen=listen, keys=keys, boots_in=8.0, answers_in=2.0, ends_in=2.0)
