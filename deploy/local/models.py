"""Tells the workers which language models there are on the embedded environment.

One is the twin's, which is scripted, and one is served by machines of Lambda's twin while a goal has them do so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from deploy.local.processes.ports import HOST
from deploy.local.relay import BACKEND as SERVED
from deploy.local.small_model.found import CONTEXT
from deploy.local.state import StackFolder

_BACKEND: Final = "twin-openai"
"""One kind alone: each that is asked costs the worker tens of megabytes."""
_MODEL: Final = f"{_BACKEND}/scripted:1"
_SERVED_MODEL: Final = f"{SERVED}/sentence:1"
SMALL: Final = "small"
"""The backend, and its tier, that a demonstration has asked for plans while it shows that."""
_SMALL_MODEL: Final = f"{SMALL}/smollm2-135m"
_SMALL_SECONDS: Final = 60


@dataclass(frozen=True, kw_only=True)
class RelayAddress:
    """Where the relay is.

    Attributes:
        machines: The port that machines dial.
        askers: The port that the models worker asks.
        authority: Who signed its certificate.
    """

    machines: int
    askers: int
    authority: str


def write_models(folder: StackFolder, *, twin: str, relay: RelayAddress) -> Path:
    """Write what `BANKSMAN_MODELS` names where nobody chose a file; the key is in Vault.

    Args:
        folder: The environment's.
        twin: The address of the twin of language models.
        relay: Where machines dial that serve one.
    """
    settings = {
        "backends": {
            _BACKEND: {"kind": "openai", "url": f"{twin}/openai/v1"},
            SERVED: {"kind": "openai", "url": f"http://{HOST}:{relay.askers}/{SERVED}/v1", "seconds": 30},
        },
        # Nobody bills for it; without a price it would be refused, because money is limited as in production.
        "models": {
            _MODEL: {"context": 200_000, "enforced_schema": True, "price": {"input": 0, "output": 0}},
            _SERVED_MODEL: {"context": 8192, "price": {"input": 0, "output": 0}},
        },
        "tiers": {"scripted": [_MODEL], "served": [_SERVED_MODEL]},
        "routes": dict.fromkeys(("plan", "read", "code", "review"), "scripted"),
        "data": {_BACKEND: ["public", "repository", "log", "private"], SERVED: ["public"]},
        "served": {
            SERVED: {"relay": f"{HOST}:{relay.machines}", "authority": relay.authority, "run": ["say", "one sentence"]}
        },
        "limits": {"goal": {"usd": 2, "requests": 60, "minutes": 30}},
    }
    return folder.private(folder.models.name, yaml.safe_dump(settings, sort_keys=False).encode())


def with_small_model(text: str, address: str) -> str:
    """The file, by which a small model on this machine is asked for plans, and nobody else.

    Args:
        text: As `write_models` wrote it.
        address: Of the small model's server, without `/v1`.
    """
    settings = yaml.safe_load(text)
    settings["backends"][SMALL] = {
        "kind": "openai",
        "url": f"{address}/v1",
        "key": "none",
        "seconds": _SMALL_SECONDS,
    }
    settings["models"][_SMALL_MODEL] = {"context": CONTEXT, "price": {"input": 0, "output": 0}}
    settings["tiers"][SMALL] = [_SMALL_MODEL]
    settings["routes"]["plan"] = SMALL
    settings["data"][SMALL] = ["public", "repository"]
    return yaml.safe_dump(settings, sort_keys=False)


def asks_small_model(text: str) -> bool:
    """Whether the file is one of `with_small_model`."""
    settings: object = yaml.safe_load(text)
    return isinstance(settings, dict) and SMALL in (settings.get("backends") or {})  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType] - YAML
