"""Prepares Slack's twin: a workspace with three people, and an app whose tokens are this stack's own."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr, ValidationError

from connectors.slack.twin.app import TwinConfig
from connectors.slack.twin.config import InstalledApp
from deploy.local.state import StackFolder


@dataclass(frozen=True, kw_only=True)
class PreparedSlack:
    """What the twin is started with, and what goes to Vault."""

    configuration: Path
    app: Mapping[str, SecretStr]


def prepare_slack(folder: StackFolder, *, listen: str) -> PreparedSlack:
    """Write the twin's configuration; its tokens and its messages are kept, so that a second `up` finds them."""
    kept = folder.twins / "slack.json"
    config = TwinConfig(listen=listen, app=_app(kept), store=folder.twins / "slack-messages.json")
    folder.private("twins/slack.json", config.model_dump_json(indent=2, exclude_unset=True).encode())
    app = config.app
    given = {"bot_token": app.bot_token, "app_token": app.app_token, "signing_secret": app.signing_secret}
    return PreparedSlack(configuration=kept, app={name: SecretStr(value) for name, value in given.items()})


def _app(kept: Path) -> InstalledApp:
    try:
        return TwinConfig.model_validate_json(kept.read_bytes()).app
    except (FileNotFoundError, ValidationError):
        bot, app = (f"{kind}-embedded-{secrets.token_hex(16)}" for kind in ("xoxb", "xapp"))
        return InstalledApp(bot_token=bot, app_token=app, signing_secret=secrets.token_hex(16))
