"""Tells the workers which language models there are on the embedded environment: the twin's one, which is scripted."""

from pathlib import Path
from typing import Final

import yaml

from deploy.local.state import StackFolder

_BACKEND: Final = "twin-openai"
"""One kind alone: each that is asked costs the worker tens of megabytes."""
_MODEL: Final = f"{_BACKEND}/scripted:1"


def write_models(folder: StackFolder, *, twin: str) -> Path:
    """Write what `BANKSMAN_MODELS` names where nobody chose a file; the key is in Vault.

    Args:
        folder: The environment's.
        twin: The address of the twin of language models.
    """
    settings = {
        "backends": {_BACKEND: {"kind": "openai", "url": f"{twin}/openai/v1"}},
        # Nobody bills for it; without a price it would be refused, because money is limited as in production.
        "models": {_MODEL: {"context": 200_000, "enforced_schema": True, "price": {"input": 0, "output": 0}}},
        "tiers": {"scripted": [_MODEL]},
        "routes": dict.fromkeys(("plan", "read", "code", "review"), "scripted"),
        "data": {_BACKEND: ["public", "repository", "log", "private"]},
        "limits": {"goal": {"usd": 2, "requests": 60, "minutes": 30}},
    }
    return folder.private(folder.models.name, yaml.safe_dump(settings, sort_keys=False).encode())
