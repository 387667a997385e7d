"""What people do in Slack: click, fill a modal, type a command or a message. The page and tests come through here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from connectors.slack.twin.blocks import Button, MessageBlock
from connectors.slack.twin.config import Channel, Person, TwinConfig
from connectors.slack.twin.deliveries import Deliveries
from connectors.slack.twin.envelopes import Answer, Ending, Envelope
from connectors.slack.twin.payloads import Payloads
from connectors.slack.twin.problems import TIMED_OUT, UNREACHABLE, NotPossible, SlackProblem
from connectors.slack.twin.validation import read_blocks
from connectors.slack.twin.views import OpenView, Typed, Views
from connectors.slack.twin.workspace import Message, Notice, Workspace

_COMMAND_ERRORS: Final[Mapping[Ending, str]] = {
    "timed_out": "operation_timeout",
    "unreachable": "dispatch_failed",
    "refused": "dispatch_failed",
}
_MODAL_PROBLEM: Final = "We had some trouble connecting. Try again?"


@dataclass(frozen=True)
class Clicked:
    """Which button of which message."""

    channel: str
    ts: str
    action_id: str
    block_id: str | None = None


class CommandAnswer(BaseModel):
    """What an app says to a command, or through a response URL."""

    model_config = ConfigDict(extra="ignore")

    text: str = ""
    blocks: JsonValue = None
    response_type: str = "ephemeral"
    thread_ts: str | None = None
    replace_original: bool = False
    delete_original: bool = False

    def read(self, *, characters: int) -> list[MessageBlock]:
        """Its blocks.

        Raises:
            SlackProblem: They are not valid, or there is nothing to show.
        """
        if self.blocks is None and not self.text:
            raise SlackProblem("no_text")
        return [] if self.blocks is None else read_blocks(self.blocks, characters=characters)


class Outcome(BaseModel):
    """What came of an action, as the person sees it."""

    acknowledged: bool
    ending: Ending | None = Field(default=None, description="None when the app was not asked.")
    shown: str | None = Field(default=None, description="The error that the person sees.")
    errors: dict[str, str] = Field(default_factory=dict, description="Of a modal's fields, by block id.")
    view: str | None = Field(default=None, description="The modal that is open afterwards.")


@dataclass
class People:
    """Everything that people can do."""

    workspace: Workspace
    views: Views
    payloads: Payloads
    deliveries: Deliveries

    @property
    def _config(self) -> TwinConfig:
        return self.workspace.config

    def person(self, user: str) -> Person:
        """A person who may act.

        Raises:
            NotPossible: There is nobody of this id, or not any more.
        """
        found = self._config.person(user)
        if found is None or found.deactivated:
            raise NotPossible(f"there is no active person {user!r}; give one of the ids of the configuration")
        return found

    def channel(self, channel: str, person: Person) -> Channel:
        """A channel that the person is in.

        Raises:
            NotPossible: They are not in it, or it does not exist.
        """
        found = self._config.channel(channel)
        if found is None or not found.admits(person.id):
            raise NotPossible(f"{person.name!r} is in no channel {channel!r}")
        return found

    # Buttons.

    def button(self, user: str, clicked: Clicked) -> tuple[Message, str, Button]:
        """The button that a person sees.

        Raises:
            NotPossible: The message is gone, is not theirs to see, or has no such button any more.
        """
        channel = self.channel(clicked.channel, self.person(user))
        message = self.workspace.find(channel.id, clicked.ts)
        if message is None or message.only_for not in {None, user}:
            raise NotPossible(f"there is no message {clicked.ts!r} in #{channel.name} that {user!r} sees")
        for block_id, button in message.buttons():
            if button.action_id == clicked.action_id and clicked.block_id in {None, block_id}:
                return message, block_id, button
        raise NotPossible(f"the message has no button {clicked.action_id!r} (any more); it was changed meanwhile")

    async def click(self, user: str, clicked: Clicked, *, base_url: str) -> Outcome:
        """Press a button, its confirmation given."""
        person = self.person(user)
        message, block_id, button = self.button(user, clicked)
        self.workspace.forget_notices(user)
        payload = self.payloads.click(person, message, pressed=(block_id, button), base_url=base_url)
        answer = await self.deliveries.deliver(Envelope("interactive", payload))
        shown = _unanswered(answer)
        if shown is not None:
            self.workspace.notify(Notice(user, message.channel, shown, message.ts))
        return self._outcome(user, answer, shown)

    # Modals.

    def opened(self, user: str, view_id: str | None = None) -> OpenView:
        """The modal that a person has before them.

        Raises:
            NotPossible: None is open, or another one.
        """
        found = self.views.top(self.person(user).id)
        if found is None or view_id not in {None, found.id}:
            raise NotPossible(f"{user!r} has no modal {view_id or ''!r} open")
        return found

    async def submit(self, user: str, typed: Typed, *, view_id: str | None = None) -> Outcome:
        """Send a modal; what Slack's client finds wrong never reaches the app."""
        person, opened = self.person(user), self.opened(user, view_id)
        self.workspace.forget_notices(user)
        known = {block.block_id: opened.shown(block) for block in opened.view.inputs()}
        opened.typed = known | {block: said for block, said in typed.items() if block in known}
        opened.problem, opened.errors = None, opened.missing(opened.typed)
        if opened.errors:
            return Outcome(acknowledged=False, errors=dict(opened.errors), view=opened.id)
        payload = self.payloads.submission(person, opened)
        answer = await self.deliveries.deliver(Envelope("interactive", payload, takes_response=True))
        self._settle(opened, answer)
        return self._outcome(user, answer, opened.problem, opened.errors)

    def _settle(self, opened: OpenView, answer: Answer) -> None:
        try:
            if answer.acknowledged:
                self.views.answer(opened, answer.payload)
            else:
                opened.problem = _MODAL_PROBLEM
        except SlackProblem:
            opened.problem = _MODAL_PROBLEM
        self.workspace.touch()

    async def close(self, user: str, *, view_id: str | None = None) -> Outcome:
        """Close a modal; the app is told when it wants to know."""
        person, opened = self.person(user), self.opened(user, view_id)
        self.views.close(opened)
        self.workspace.touch()
        if not opened.view.notify_on_close:
            return Outcome(acknowledged=False)
        answer = await self.deliveries.deliver(Envelope("interactive", self.payloads.closing(person, opened)))
        return self._outcome(user, answer, None)

    # Words.

    async def command(self, user: str, channel: str, *, line: str, base_url: str) -> Outcome:
        """Type a slash command."""
        person = self.person(user)
        place = self.channel(channel, person)
        self.workspace.forget_notices(user)
        name, _, text = line.strip().partition(" ")
        if name not in {one.command for one in self._config.app.commands}:
            shown = f"{name} is not a valid command."
            self.workspace.notify(Notice(user, place.id, shown, None))
            return Outcome(acknowledged=False, shown=shown)
        payload = self.payloads.command(person, place, command=name, text=text.strip(), base_url=base_url)
        answer = await self.deliveries.deliver(Envelope("slash_commands", payload, takes_response=True))
        shown = self._answer_command(user, place, name, answer)
        if shown is not None:
            self.workspace.notify(Notice(user, place.id, shown, None))
        return self._outcome(user, answer, shown)

    def _answer_command(self, user: str, place: Channel, name: str, answer: Answer) -> str | None:
        if not answer.acknowledged:
            return f'{name} failed with the error "{_COMMAND_ERRORS[answer.ending]}"'
        if not answer.payload:
            return None
        try:
            self.app_says(CommandAnswer.model_validate(answer.payload), user=user, channel=place.id)
        except (ValidationError, SlackProblem):
            return f'{name} failed with the error "invalid_command_response"'
        return None

    def app_says(self, said: CommandAnswer, *, user: str, channel: str) -> Message:
        """Show what the app says, to the person alone or to the channel.

        Raises:
            SlackProblem: It is not valid.
        """
        message = Message(
            channel=channel,
            ts=self.workspace.new_ts(),
            user=self._config.app.user,
            text=said.text,
            blocks=said.read(characters=self._config.limits.blocks_characters),
            thread_ts=said.thread_ts,
            by_app=True,
            only_for=None if said.response_type == "in_channel" else user,
        )
        self.workspace.put(message)
        return message

    def say(self, user: str, channel: str, *, text: str, thread_ts: str | None = None) -> Message:
        """Write a message; the app hears of it when it subscribed."""
        person = self.person(user)
        place = self.channel(channel, person)
        if not text.strip() or place.archived:
            raise NotPossible(f"nothing can be written to #{place.name}: it is archived, or there is no text")
        self.workspace.forget_notices(user)
        message = Message(
            channel=place.id,
            ts=self.workspace.new_ts(),
            user=user,
            text=self._as_sent(text.strip()),
            thread_ts=thread_ts or None,
        )
        self.workspace.put(message)
        for kind in self._heard(message, place):
            self.deliveries.announce(Envelope("events_api", self.payloads.event(kind, message)))
        return message

    def _as_sent(self, text: str) -> str:
        """What Slack's client makes of what was typed: escaped, with names as mentions."""
        app = self._config.app
        sent = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for user, name in [(app.user, app.name), *((one.id, one.name) for one in self._config.people)]:
            sent = re.sub(rf"@{re.escape(name)}\b", f"<@{user}>", sent, flags=re.IGNORECASE)
        return sent

    def _heard(self, message: Message, place: Channel) -> list[str]:
        app = self._config.app
        kinds = ["message"] if "message.channels" in app.events else []
        if "app_mention" in app.events and f"<@{app.user}>" in message.text:
            kinds.append("app_mention")
        return kinds if place.has_app else []

    def _outcome(
        self, user: str, answer: Answer, shown: str | None, errors: Mapping[str, str] | None = None
    ) -> Outcome:
        top = self.views.top(user)
        return Outcome(
            acknowledged=answer.acknowledged,
            ending=answer.ending,
            shown=shown,
            errors=dict(errors or {}),
            view=top.id if top else None,
        )


def _unanswered(answer: Answer) -> str | None:
    """What the person sees next to the button when the app did not take the click."""
    match answer.ending:
        case "acknowledged":
            return None
        case "timed_out":
            return TIMED_OUT
        case "unreachable" | "refused":
            return UNREACHABLE
