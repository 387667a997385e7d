"""What is in the workspace: messages, files and what Slack tells one person only.

Messages may be kept over a restart: every change is one more line of a file, and the last line about a message counts.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from connectors.slack.twin.blocks import Actions, Button, MessageBlock, Section
from connectors.slack.twin.config import TwinConfig
from connectors.slack.twin.problems import Json
from connectors.slack.twin.validation import Metadata, dumped

_MICROSECONDS: Final = 1_000_000


class File(BaseModel):
    """A file that the app uploaded."""

    id: str
    name: str
    title: str = ""
    length: int
    content: bytes | None = Field(default=None, exclude=True, repr=False)


class Message(BaseModel):
    """One message.

    Attributes:
        only_for: Whom an ephemeral message is shown to.
        edited: When it was changed last, as a timestamp.
        edits: How often.
    """

    channel: str
    ts: str
    user: str
    text: str
    blocks: list[MessageBlock] = Field(default_factory=list[MessageBlock])
    thread_ts: str | None = None
    metadata: Metadata | None = None
    files: list[File] = Field(default_factory=list[File])
    by_app: bool = False
    only_for: str | None = None
    edited: str | None = None
    edits: int = 0
    deleted: bool = False

    @property
    def is_reply(self) -> bool:
        """Whether it is shown in a thread only."""
        return self.thread_ts is not None and self.thread_ts != self.ts

    def buttons(self) -> list[tuple[str, Button]]:
        """Its buttons, each with its block's id."""
        found: list[tuple[str, Button]] = []
        for block in self.blocks:
            if isinstance(block, Actions):
                found.extend((block.block_id, element) for element in block.elements)
            elif isinstance(block, Section) and isinstance(block.accessory, Button):
                found.append((block.block_id, block.accessory))
        return found


_MESSAGE: Final[TypeAdapter[Message]] = TypeAdapter(Message)


class Notice(NamedTuple):
    """What Slack's client tells one person: an app did not answer, a command is unknown."""

    user: str
    channel: str
    text: str
    ts: str | None
    """Of the message whose button was clicked."""


@dataclass
class Workspace:
    """The state behind the twin.

    Args:
        clock: Seconds since the epoch.
    """

    config: TwinConfig
    clock: Callable[[], float] = time.time
    version: int = 0
    files: dict[str, File] = field(default_factory=dict[str, File])
    _channels: dict[str, dict[str, Message]] = field(default_factory=dict[str, dict[str, Message]])
    _threads: dict[tuple[str, str], dict[str, Message]] = field(
        default_factory=dict[tuple[str, str], dict[str, Message]]
    )
    _notices: list[Notice] = field(default_factory=list[Notice])
    _last: int = 0

    def __post_init__(self) -> None:
        if self.config.store is not None and self.config.store.exists():
            for line in self.config.store.read_text(encoding="utf-8").splitlines():
                self._keep(_MESSAGE.validate_json(line))

    def new_ts(self) -> str:
        """A timestamp that no message has, later than all before."""
        self._last = max(int(self.clock() * _MICROSECONDS), self._last + 1)
        return f"{self._last // _MICROSECONDS}.{self._last % _MICROSECONDS:06d}"

    def touch(self) -> None:
        """Something that people see has changed."""
        self.version += 1

    def put(self, message: Message) -> None:
        """Add a message, or keep what changed in it."""
        self._keep(message)
        if self.config.store is not None and message.only_for is None:
            _append(self.config.store, message)
        self.touch()

    def _keep(self, message: Message) -> None:
        seconds, _, fraction = message.ts.partition(".")
        self._last = max(self._last, int(seconds) * _MICROSECONDS + int(fraction))
        places = [self._channels.setdefault(message.channel, {})]
        if message.is_reply and message.thread_ts is not None and message.only_for is None:
            places.append(self._threads.setdefault((message.channel, message.thread_ts), {}))
        for place in places:
            if message.deleted:
                place.pop(message.ts, None)
            else:
                place[message.ts] = message

    def find(self, channel: str, ts: str) -> Message | None:
        """A message that everybody sees, or somebody alone."""
        return self._channels.get(channel, {}).get(ts)

    def all(self, channel: str) -> list[Message]:
        """The channel's messages, oldest first, with replies and what only one person sees."""
        return list(self._channels.get(channel, {}).values())

    def shown(self, channel: str, user: str) -> list[Message]:
        """What a person sees in a channel, threads included, oldest first."""
        return [one for one in self.all(channel) if one.only_for in {None, user}]

    def public(self, channel: str) -> list[Message]:
        """What the history tells, oldest first: nothing that only one person sees."""
        return [one for one in self.all(channel) if one.only_for is None]

    def replies(self, message: Message) -> list[Message]:
        """The thread under a message, without itself."""
        return list(self._threads.get((message.channel, message.ts), {}).values())

    def notify(self, notice: Notice) -> None:
        """Show something to one person until they act again."""
        self._notices.append(notice)
        self.touch()

    def forget_notices(self, user: str) -> None:
        """The person acts: what they were told is over."""
        self._notices = [one for one in self._notices if one.user != user]
        self.touch()

    def notices(self, user: str, channel: str | None = None) -> list[Notice]:
        """What a person is told, in one channel or anywhere."""
        return [one for one in self._notices if one.user == user and channel in {None, one.channel}]

    def told(self, message: Message, *, with_metadata: bool = False) -> Json:
        """A message as Slack's API tells it."""
        app = self.config.app
        body: Json = {
            "type": "message",
            "user": message.user,
            "ts": message.ts,
            "text": message.text,
            "team": self.config.team.id,
        }
        if message.by_app:
            body |= {"bot_id": app.bot, "app_id": app.id}
        if message.blocks:
            body["blocks"] = dumped(message.blocks)
        if message.files:
            body["files"] = [file.model_dump() for file in message.files]
        if message.edited is not None:
            body["edited"] = {"user": message.user, "ts": message.edited}
        if with_metadata and message.metadata is not None:
            body["metadata"] = message.metadata.model_dump()
        return body | self._thread(message)

    def _thread(self, message: Message) -> Json:
        if message.is_reply:
            return {"thread_ts": message.thread_ts}
        replies = self.replies(message) if message.only_for is None else []
        if not replies:
            return {}
        users = _in_order(reply.user for reply in replies)
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users": users,
            "reply_users_count": len(users),
            "latest_reply": replies[-1].ts,
        }


def new_file_id() -> str:
    """An id of Slack's form."""
    return f"F{secrets.token_hex(5).upper()}"


def _append(store: Path, message: Message) -> None:
    with store.open("a", encoding="utf-8") as lines:
        lines.write(message.model_dump_json() + "\n")


def _in_order(users: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(users))
