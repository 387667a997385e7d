"""Prepares Neon's twin: an organisation with a shop's database, a branch of it that may go, and its window's."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from connectors.neon.copy import CopiedProject
from connectors.neon.manifest import DESTRUCTIVE_KEY, KEY
from connectors.neon.twin.app import SeededProject, TwinConfig
from connectors.neon.twin.passwords import new_password
from connectors.twins import PreparedTwin, TwinPlace

PROJECT: Final = "shop-quiet-moon-17281"
STOREFRONT_PROJECT: Final = "storefront-still-river-40112"
OLD_BRANCH: Final = "old-idea"


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _kept(place.kept("neon.json")) or TwinConfig(
        keys=(f"napi_{secrets.token_hex(24)}", f"napi_{secrets.token_hex(24)}"),
        clusters=place.root / "twins" / "neon",
    )
    projects = (*config.projects, *(_missing(config) if place.copied is None else ()))
    told = {"listen": place.listen, "containers": place.containers, "projects": projects}
    config = config.model_copy(update=told | {"copied": place.copy(CopiedProject)})
    kept = place.keep("neon.json", config.model_dump_json(indent=2).encode())
    key, destructive = (SecretStr(one) for one in config.keys)
    return PreparedTwin(
        configuration=kept, secrets={KEY.path: {"key": key}, DESTRUCTIVE_KEY.path: {"key": destructive}}
    )


def _missing(config: TwinConfig) -> Iterator[SeededProject]:
    """Those that it has not: an environment that was made before one of them was added gets it, too."""
    for project, name, branches in ((PROJECT, "shop", (OLD_BRANCH,)), (STOREFRONT_PROJECT, "storefront", ())):
        if project not in {one.id for one in config.projects}:
            owner, password = f"{name}_owner", new_password()
            yield SeededProject(id=project, name=name, database=name, owner=owner, password=password, branches=branches)


def _kept(file: Path) -> TwinConfig | None:
    try:
        return TwinConfig.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
