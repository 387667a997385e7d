"""The payloads of interactions, commands and events, as Slack documents them."""

import secrets
from dataclasses import dataclass

from connectors.slack.twin.blocks import Button
from connectors.slack.twin.config import Channel, Person, TwinConfig
from connectors.slack.twin.problems import Json
from connectors.slack.twin.tickets import Tickets
from connectors.slack.twin.views import OpenView
from connectors.slack.twin.workspace import Message, Workspace

_TOKEN = "verification-token-of-the-twin"  # noqa: S105 - deprecated by Slack; it verifies nothing


@dataclass
class Payloads:
    """Makes them for one workspace; response URLs lead to the address at which the twin was reached."""

    workspace: Workspace
    tickets: Tickets

    @property
    def _config(self) -> TwinConfig:
        return self.workspace.config

    def _head(self, person: Person) -> Json:
        team = self._config.team
        return {
            "team": {"id": team.id, "domain": team.domain},
            "user": {"id": person.id, "username": person.name, "name": person.name, "team_id": team.id},
            "api_app_id": self._config.app.id,
            "token": _TOKEN,
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def response_url(self, base_url: str, person: Person, *, channel: str, ts: str | None = None) -> str:
        """A new one; the app may use it five times in half an hour."""
        secret = self.tickets.response(person.id, channel, ts)
        return f"{base_url}/actions/{self._config.team.id}/{secrets.randbelow(10**12)}/{secret}"

    def click(self, person: Person, message: Message, *, pressed: tuple[str, Button], base_url: str) -> Json:
        """A button in a message."""
        block_id, button = pressed
        channel = self._channel(message.channel)
        container: Json = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": message.only_for is not None,
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        action: Json = button.model_dump(exclude_none=True, exclude={"confirm", "url", "accessibility_label"})
        body: Json = {
            "type": "block_actions",
            "container": container,
            "trigger_id": self.tickets.trigger(person.id, channel.id),
            "channel": {"id": channel.id, "name": channel.name},
            "message": self.workspace.told(message),
            "state": {"values": Json()},
            "response_url": self.response_url(base_url, person, channel=channel.id, ts=message.ts),
            "actions": [action | {"block_id": block_id, "action_ts": self.workspace.new_ts()}],
        }
        return self._head(person) | body

    def submission(self, person: Person, opened: OpenView) -> Json:
        """A modal that was submitted."""
        return self._head(person) | {
            "type": "view_submission",
            "trigger_id": self.tickets.trigger(person.id, opened.channel),
            "view": opened.told(self._config),
            "response_urls": list[Json](),
        }

    def closing(self, person: Person, opened: OpenView) -> Json:
        """A modal that was closed without a submission."""
        return self._head(person) | {
            "type": "view_closed",
            "view": opened.told(self._config),
            "is_cleared": False,
        }

    def command(self, person: Person, channel: Channel, *, command: str, text: str, base_url: str) -> Json:
        """A slash command."""
        team = self._config.team
        return {
            "token": _TOKEN,
            "team_id": team.id,
            "team_domain": team.domain,
            "channel_id": channel.id,
            "channel_name": channel.name,
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": text,
            "api_app_id": self._config.app.id,
            "is_enterprise_install": "false",
            "response_url": self.response_url(base_url, person, channel=channel.id),
            "trigger_id": self.tickets.trigger(person.id, channel.id),
        }

    def event(self, kind: str, message: Message) -> Json:
        """A message that an app is told about."""
        event: Json = {
            "type": kind,
            "user": message.user,
            "text": message.text,
            "ts": message.ts,
            "event_ts": message.ts,
            "channel": message.channel,
            "team": self._config.team.id,
        }
        if kind == "message":
            event["channel_type"] = "channel"
        if message.is_reply:
            event["thread_ts"] = message.thread_ts
        return self._event_callback(event)

    def _event_callback(self, event: Json) -> Json:
        team, app = self._config.team, self._config.app
        authorization = {"enterprise_id": None, "team_id": team.id, "user_id": app.user, "is_bot": True}
        return {
            "type": "event_callback",
            "token": _TOKEN,
            "team_id": team.id,
            "api_app_id": app.id,
            "event": event,
            "event_id": f"Ev{secrets.token_hex(5).upper()}",
            "event_time": int(self.workspace.clock()),
            "event_context": secrets.token_hex(8),
            "is_ext_shared_channel": False,
            "authorizations": [authorization | {"is_enterprise_install": False}],
        }

    def _channel(self, channel: str) -> Channel:
        found = self._config.channel(channel)
        if found is None:
            raise LookupError(f"no channel {channel!r}")
        return found
