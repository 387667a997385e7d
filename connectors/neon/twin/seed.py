"""Prepares Neon's twin: an organisation with the database of a shop, and a branch of it that may go."""

import asyncio
import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from connectors.neon.manifest import DESTRUCTIVE_KEY, KEY
from connectors.neon.twin.app import SeededProject, TwinConfig
from connectors.neon.twin.passwords import new_password
from connectors.twins import PreparedTwin, TwinPlace

PROJECT: Final = "shop-quiet-moon-17281"
OLD_BRANCH: Final = "old-idea"


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _kept(place.kept("neon.json")) or TwinConfig(
        keys=(f"napi_{secrets.token_hex(24)}", f"napi_{secrets.token_hex(24)}"),
        clusters=place.root / "twins" / "neon",
        projects=(
            SeededProject(
                id=PROJECT,
                name="shop",
                database="shop",
                owner="shop_owner",
                password=new_password(),
                branches=(OLD_BRANCH,),
            ),
        ),
    )
    config = config.model_copy(update={"listen": place.listen, "containers": place.containers})
    kept = place.keep("neon.json", config.model_dump_json(indent=2).encode())
    key, destructive = (SecretStr(one) for one in config.keys)
    return PreparedTwin(
        configuration=kept, secrets={KEY.path: {"key": key}, DESTRUCTIVE_KEY.path: {"key": destructive}}
    )


def _kept(file: Path) -> TwinConfig | None:
    try:
        return TwinConfig.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
