"""Prepares the twin of language models: keys of this environment's own, one model on every wire, and a first score.

A deployment's file that names these backends `openai`, `anthropic` and `bedrock` finds their keys in Vault.
"""

import asyncio
import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from connectors.models.twin.app import TwinConfig
from connectors.models.twin.score import Cue, Score
from connectors.models.twin.stage import Model
from connectors.models.twin.wires.bedrock import AwsKey
from connectors.twins import PreparedTwin, TwinPlace

_CONFIGURATION: Final = "models.json"
_SCORE: Final = Score(cues=(Cue(say="This is the twin of language models: it says what its score tells it to."),))


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration. Keys and score are kept, so that a second start finds what the first one had."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _kept(place.kept(_CONFIGURATION)) or _made()
    config = config.model_copy(update={"listen": place.listen})
    kept = place.keep(_CONFIGURATION, config.model_dump_json(indent=2).encode())
    return PreparedTwin(configuration=kept, secrets=_secrets(config))


def _made() -> TwinConfig:
    return TwinConfig(
        openai=secrets.token_hex(16),
        anthropic=secrets.token_hex(16),
        bedrock=AwsKey(access_key=f"AKIA{secrets.token_hex(8).upper()}", secret_key=secrets.token_hex(20)),
        models=(Model(id="scripted:1"),),
        score=_SCORE,
    )


def _kept(file: Path) -> TwinConfig | None:
    try:
        return TwinConfig.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _secrets(config: TwinConfig) -> dict[str, dict[str, SecretStr]]:
    return {
        "models/openai": {"key": SecretStr(config.openai)},
        "models/anthropic": {"key": SecretStr(config.anthropic)},
        "models/bedrock": {
            "access_key_id": SecretStr(config.bedrock.access_key),
            "secret_access_key": SecretStr(config.bedrock.secret_key),
        },
    }
