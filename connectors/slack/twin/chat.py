"""The methods `chat.*`, `conversations.*`, `users.*` and `views.*`."""

import re
from dataclasses import dataclass
from typing import Final

from connectors.slack.twin.arguments import (
    UNREADABLE,
    Content,
    Delete,
    History,
    NoArguments,
    OpenModal,
    Permalink,
    Post,
    PostEphemeral,
    Replies,
    Update,
    UserByEmail,
    UserInfo,
)
from connectors.slack.twin.blocks import MessageBlock
from connectors.slack.twin.config import Channel, Person, TwinConfig
from connectors.slack.twin.problems import Json, SlackProblem
from connectors.slack.twin.tickets import Tickets
from connectors.slack.twin.validation import Metadata, read_blocks, read_metadata, read_view
from connectors.slack.twin.views import Views
from connectors.slack.twin.workspace import Message, Workspace

_TEXT_KEPT: Final = 40_000
_METADATA_BYTES: Final = 16_384
_TS: Final = re.compile(r"\d+\.\d{6}")


@dataclass
class Chat:
    """What an app does with messages, people and modals."""

    workspace: Workspace
    views: Views
    tickets: Tickets

    @property
    def _config(self) -> TwinConfig:
        return self.workspace.config

    def channel(self, channel: str, *, to_write: bool = False) -> Channel:
        """A channel that the app may read, or write to.

        Raises:
            SlackProblem: `channel_not_found`, `not_in_channel` or `is_archived`.
        """
        found = self._config.channel(channel)
        if found is None:
            raise SlackProblem("channel_not_found")
        if not found.has_app:
            raise SlackProblem("not_in_channel")
        if to_write and found.archived:
            raise SlackProblem("is_archived")
        return found

    def auth_test(self, asked: NoArguments, base_url: str) -> Json:
        """Who the app is."""
        del asked
        team, app = self._config.team, self._config.app
        body: Json = {"url": f"{base_url}/", "team": team.name, "user": app.name.lower(), "team_id": team.id}
        return body | {"user_id": app.user, "bot_id": app.bot, "is_enterprise_install": False}

    # Messages.

    def post(self, asked: Post, base_url: str) -> Json:
        """A new message."""
        del base_url
        channel = self.channel(asked.channel, to_write=True)
        message = self._made(asked, channel, thread_ts=self._thread(channel, asked.thread_ts))
        message.metadata = self._metadata(asked)
        self.workspace.put(message)
        told = self.workspace.told(message, with_metadata=True)
        return {"channel": channel.id, "ts": message.ts, "message": told}

    def post_ephemeral(self, asked: PostEphemeral, base_url: str) -> Json:
        """A message that one person sees."""
        del base_url
        channel = self.channel(asked.channel, to_write=True)
        person = self._config.person(asked.user)
        if person is None or not channel.admits(person.id):
            raise SlackProblem("user_not_in_channel")
        message = self._made(asked, channel, thread_ts=asked.thread_ts)
        message.only_for = person.id
        self.workspace.put(message)
        return {"message_ts": message.ts}

    def _made(self, asked: Content, channel: Channel, *, thread_ts: str | None) -> Message:
        blocks, text = self._content(asked)
        return Message(
            channel=channel.id,
            ts=self.workspace.new_ts(),
            user=self._config.app.user,
            text=text,
            blocks=blocks,
            thread_ts=thread_ts,
            by_app=True,
        )

    def _content(self, asked: Content) -> tuple[list[MessageBlock], str]:
        if asked.blocks is None and not asked.text:
            raise SlackProblem("no_text")
        blocks: list[MessageBlock] = []
        if asked.blocks is not None:
            blocks = read_blocks(asked.blocks, characters=self._config.limits.blocks_characters)
        return blocks, asked.text[:_TEXT_KEPT]

    def _metadata(self, asked: Content) -> Metadata | None:
        if asked.metadata is None:
            return None
        metadata = read_metadata(asked.metadata if asked.metadata != UNREADABLE else None)
        if len(metadata.model_dump_json().encode()) > _METADATA_BYTES:
            raise SlackProblem("metadata_too_large")
        return metadata

    def _thread(self, channel: Channel, thread_ts: str | None) -> str | None:
        """The parent's timestamp; Slack takes a reply's for its parent's."""
        if thread_ts is None:
            return None
        if _TS.fullmatch(thread_ts) is None:
            raise SlackProblem("invalid_thread_ts")
        parent = self.workspace.find(channel.id, thread_ts)
        if parent is None or parent.only_for is not None:
            raise SlackProblem("thread_not_found")
        return parent.thread_ts or parent.ts

    def update(self, asked: Update, base_url: str) -> Json:
        """Other content for a message of the app's own; blocks and metadata stay when not given, and go when empty."""
        del base_url
        channel = self.channel(asked.channel)
        message = self._own(channel, asked.ts, "cant_update_message")
        blocks, text = self._content(asked)
        message.blocks = blocks if asked.blocks is not None else message.blocks
        message.text = text or message.text
        if asked.metadata is not None:
            message.metadata = self._metadata(asked) if asked.metadata else None
        message.edited, message.edits = self.workspace.new_ts(), message.edits + 1
        self.workspace.put(message)
        return {"channel": channel.id, "ts": message.ts, "text": text, "message": self.workspace.told(message)}

    def delete(self, asked: Delete, base_url: str) -> Json:
        """A message of the app's own, gone."""
        del base_url
        channel = self.channel(asked.channel)
        message = self._own(channel, asked.ts, "cant_delete_message")
        message.deleted = True
        self.workspace.put(message)
        return {"channel": channel.id, "ts": message.ts}

    def _own(self, channel: Channel, ts: str, otherwise: str) -> Message:
        message = self.workspace.find(channel.id, ts)
        if message is None or message.only_for is not None:
            raise SlackProblem("message_not_found")
        if not message.by_app:
            raise SlackProblem(otherwise)
        return message

    def permalink(self, asked: Permalink, base_url: str) -> Json:
        """Where a person finds the message."""
        channel = self.channel(asked.channel)
        message = self.workspace.find(channel.id, asked.message_ts)
        if message is None:
            raise SlackProblem("message_not_found")
        link = f"{base_url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
        return {"channel": channel.id, "permalink": link}

    # Reading.

    def history(self, asked: History, base_url: str) -> Json:
        """The channel, newest first, without replies."""
        del base_url
        channel = self.channel(asked.channel)
        there = [one for one in reversed(self.workspace.public(channel.id)) if not one.is_reply]
        return self._paged(asked, [one for one in there if _within(asked, one.ts)])

    def replies(self, asked: Replies, base_url: str) -> Json:
        """A thread, oldest first, with its parent."""
        del base_url
        channel = self.channel(asked.channel)
        parent = self.workspace.find(channel.id, asked.ts)
        if parent is None or parent.only_for is not None:
            raise SlackProblem("thread_not_found")
        replies = [one for one in self.workspace.replies(parent) if _within(asked, one.ts)]
        return self._paged(asked, [parent, *replies])

    def _paged(self, asked: History, found: list[Message]) -> Json:
        if asked.cursor and not asked.cursor.isdecimal():
            raise SlackProblem("invalid_cursor")
        start = int(asked.cursor or 0)
        page, more = found[start : start + asked.limit], len(found) > start + asked.limit
        told = [self.workspace.told(one, with_metadata=asked.include_all_metadata) for one in page]
        body: Json = {"messages": told, "has_more": more}
        return body | {"response_metadata": {"next_cursor": str(start + asked.limit) if more else ""}}

    # People and modals.

    def user_info(self, asked: UserInfo, base_url: str) -> Json:
        """A person by id."""
        del base_url
        found = self._config.person(asked.user)
        if found is None:
            raise SlackProblem("user_not_found")
        return {"user": self._user(found)}

    def user_by_email(self, asked: UserByEmail, base_url: str) -> Json:
        """A person by address."""
        del base_url
        wanted = asked.email.lower()
        found = next((one for one in self._config.people if (one.email or "").lower() == wanted), None)
        if found is None or found.deactivated:
            raise SlackProblem("users_not_found")
        return {"user": self._user(found)}

    def _user(self, person: Person) -> Json:
        profile: Json = {"real_name": person.real_name, "display_name": person.name, "title": person.title}
        if "users:read.email" in self._config.app.scopes and person.email is not None:
            profile["email"] = person.email
        body: Json = {"id": person.id, "team_id": self._config.team.id, "name": person.name}
        body |= {"real_name": person.real_name, "deleted": person.deactivated, "profile": profile}
        return body | {"is_bot": False, "is_app_user": False, "tz": "Etc/UTC", "tz_offset": 0}

    def open_modal(self, asked: OpenModal, base_url: str) -> Json:
        """A modal, for whoever clicked within the last three seconds."""
        del base_url
        view = read_view(asked.view)
        user, channel = self.tickets.exchange(asked.trigger_id)
        opened = self.views.open(view, user, channel=channel)
        self.workspace.touch()
        return {"view": opened.told(self._config)}


def _within(asked: History, ts: str) -> bool:
    if asked.inclusive and ts in {asked.oldest, asked.latest}:
        return True
    return _number(ts) > _number(asked.oldest) and (asked.latest is None or _number(ts) < _number(asked.latest))


def _number(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        raise SlackProblem("invalid_ts_oldest") from None
