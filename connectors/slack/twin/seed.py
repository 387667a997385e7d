"""Prepares Slack's twin: a workspace with three people, and an app whose tokens are this environment's own."""

import asyncio
import secrets
from pathlib import Path
from typing import Final

from pydantic import SecretStr, ValidationError

from connectors.slack.manifest import APP
from connectors.slack.twin.config import InstalledApp, TwinConfig
from connectors.twins import PreparedTwin, TwinPlace

_CONFIGURATION: Final = "slack.json"


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration; its tokens and its messages are kept, so that a second start finds them."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    kept = place.kept(_CONFIGURATION)
    config = TwinConfig(listen=place.listen, app=_app(kept), store=place.kept("slack-messages.json"))
    place.keep(_CONFIGURATION, config.model_dump_json(indent=2, exclude_unset=True).encode())
    app = config.app
    given = {"bot_token": app.bot_token, "app_token": app.app_token, "signing_secret": app.signing_secret}
    secrets_of_app = {name: SecretStr(value) for name, value in given.items()}
    return PreparedTwin(configuration=kept, secrets={APP.path: secrets_of_app})


def _app(kept: Path) -> InstalledApp:
    try:
        return TwinConfig.model_validate_json(kept.read_bytes()).app
    except (FileNotFoundError, ValidationError):
        bot, app = (f"{kind}-embedded-{secrets.token_hex(16)}" for kind in ("xoxb", "xapp"))
        return InstalledApp(bot_token=bot, app_token=app, signing_secret=secrets.token_hex(16))
