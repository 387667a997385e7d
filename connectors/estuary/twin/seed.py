"""Prepares Estuary's twin: a shop whose orders are captured, with two service accounts of this environment's own."""

import asyncio
import secrets
from pathlib import Path
from typing import Final

from pydantic import JsonValue, SecretStr, ValidationError

from connectors.estuary.copy import CopiedCatalog
from connectors.estuary.manifest import ACCOUNT, DESTRUCTIVE_ACCOUNT
from connectors.estuary.twin.app import TwinAccount, TwinConfig
from connectors.estuary.twin.state import TwinSpec
from connectors.twins import PreparedTwin, TwinPlace

_KEPT: Final = "estuary.json"
_SCHEMA: Final[JsonValue] = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
_ORDERS: Final[JsonValue] = {"schema": _SCHEMA, "key": ["/id"]}
SHOP: Final = {
    "acme/shop/source": TwinSpec(
        type="capture",
        model={
            "endpoint": {"connector": {"image": "ghcr.io/estuary/source-hello-world:v1", "config": {"rate": 1}}},
            "bindings": [{"resource": {"stream": "orders"}, "target": "acme/shop/orders"}],
        },
    ),
    "acme/shop/orders": TwinSpec(type="collection", model=_ORDERS),
    "acme/shop/archive": TwinSpec(type="collection", model=_ORDERS),
}
"""A capture, its collection, and one that nothing reads or writes any more."""


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its keys are kept, so that a second start finds in Vault what it expects."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    before = _kept(place.kept(_KEPT))
    names = {ACCOUNT.path: "publisher", DESTRUCTIVE_ACCOUNT.path: "deleter"}
    accounts = before.accounts if before else {name: _account() for name in names.values()}
    apikey = before.apikey if before else secrets.token_hex(16)
    config = TwinConfig(listen=place.listen, apikey=apikey, accounts=accounts, live=SHOP)
    if place.copied is not None:
        config = _of_copy(config, place.copy(CopiedCatalog))
    kept = place.keep(_KEPT, config.model_dump_json(indent=2).encode())
    told = {
        path: {
            "token_id": SecretStr(accounts[name].token_id),
            "secret": SecretStr(accounts[name].secret),
            "apikey": SecretStr(apikey),
        }
        for path, name in names.items()
    }
    return PreparedTwin(configuration=kept, secrets=told)


def _of_copy(config: TwinConfig, copied: CopiedCatalog | None) -> TwinConfig:
    """The same with what was copied, and no example."""
    if copied is None:
        return config.model_copy(update={"live": {}})
    live = {one.name: TwinSpec(type=one.type, model=one.model, pub_id=one.publication) for one in copied.specs}
    return config.model_copy(update={"live": live, "prefix": copied.part})


def _account() -> TwinAccount:
    return TwinAccount(token_id=secrets.token_hex(8), secret=f"flow_sa_{secrets.token_hex(24)}")


def _kept(path: Path) -> TwinConfig | None:
    try:
        return TwinConfig.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
