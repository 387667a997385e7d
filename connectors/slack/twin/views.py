"""Modals: what is open for whom, what was typed, and what an app answers to a submission."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from connectors.slack.twin.blocks import Input, Select, TextInput, View
from connectors.slack.twin.config import TwinConfig
from connectors.slack.twin.problems import Json, SlackProblem
from connectors.slack.twin.validation import dumped, read_view

Typed = Mapping[str, str]
"""What a person typed or chose, by block id."""

REQUIRED: Final = "Please complete this required field."
_MAX_STACK: Final = 3


@dataclass
class OpenView:
    """A modal that a person has before them.

    Attributes:
        typed: What stands in the fields, kept when the app finds errors.
        errors: What the app, or Slack itself, finds wrong, by block id.
    """

    view: View
    user: str
    channel: str
    id: str = field(default_factory=lambda: f"V{secrets.token_hex(5).upper()}")
    hash: str = field(default_factory=lambda: f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}")
    root: str = ""
    previous: str | None = None
    typed: Typed = field(default_factory=dict[str, str])
    errors: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: str | None = None

    def told(self, config: TwinConfig) -> Json:
        """As Slack's API tells it."""
        body: Json = self.view.model_dump(exclude_none=True, exclude={"blocks", "submit_disabled"})
        more: Json = {
            "id": self.id,
            "team_id": config.team.id,
            "app_id": config.app.id,
            "bot_id": config.app.bot,
            "blocks": dumped(self.view.blocks),
            "state": {"values": self._values()},
            "hash": self.hash,
            "root_view_id": self.root or self.id,
            "previous_view_id": self.previous,
        }
        return body | more

    def _values(self) -> Json:
        return {block.block_id: {block.element.action_id: _value(block, self.typed)} for block in self.view.inputs()}

    def missing(self, typed: Typed) -> dict[str, str]:
        """What Slack's client finds wrong before it asks the app."""
        found = {block.block_id: _complaint(block, typed.get(block.block_id, "")) for block in self.view.inputs()}
        return {block_id: complaint for block_id, complaint in found.items() if complaint}

    def shown(self, block: Input) -> str:
        """What stands in a field."""
        if block.block_id in self.typed:
            return self.typed[block.block_id]
        match block.element:
            case TextInput():
                return block.element.initial_value or ""
            case Select():
                return block.element.initial_option.value if block.element.initial_option else ""


def _complaint(block: Input, typed: str) -> str:
    if not typed.strip():
        return "" if block.optional else REQUIRED
    match block.element:
        case TextInput(min_length=least) if least is not None and len(typed) < least:
            return f"Please enter at least {least} characters."
        case TextInput(max_length=most) if len(typed) > (most or 3000):
            return f"Please enter at most {most or 3000} characters."
        case Select() if typed not in {option.value for option in block.element.options}:
            return "Please choose one of the options."
        case _:
            return ""


def _value(block: Input, typed: Typed) -> Json:
    said = typed.get(block.block_id, "")
    if isinstance(block.element, TextInput):
        return {"type": "plain_text_input", "value": said or None}
    chosen = next((option for option in block.element.options if option.value == said), None)
    return {"type": "static_select", "selected_option": chosen.model_dump() if chosen else None}


class _Response(BaseModel):
    """What an app may answer to a submission."""

    model_config = ConfigDict(extra="ignore")

    response_action: Literal["errors", "clear", "update", "push"] | None = None
    errors: dict[str, str] = Field(default_factory=dict)
    view: JsonValue = None


@dataclass
class Views:
    """Each person's modals, the one on top last."""

    _stacks: dict[str, list[OpenView]] = field(default_factory=dict[str, list[OpenView]])

    def top(self, user: str) -> OpenView | None:
        """What a person sees."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def open(self, view: View, user: str, *, channel: str) -> OpenView:
        """Show a modal, in place of what was there."""
        opened = OpenView(view, user, channel)
        self._stacks[user] = [opened]
        return opened

    def close(self, opened: OpenView) -> None:
        """Back to the one below, or to all closed when the app wants that."""
        stack = self._stacks.get(opened.user, [])
        if opened in stack:
            self._stacks[opened.user] = [] if opened.view.clear_on_close else stack[: stack.index(opened)]

    def answer(self, opened: OpenView, said: Mapping[str, object]) -> None:
        """What an app's acknowledgement does to the modals.

        Raises:
            SlackProblem: It is no answer that Slack understands.
        """
        try:
            response = _Response.model_validate(said)
        except ValidationError:
            raise SlackProblem("invalid_response") from None
        match response.response_action:
            case None:
                self.close(opened)
            case "clear":
                self._stacks[opened.user] = []
            case "errors":
                opened.errors = _known(opened, response.errors)
            case "update":
                self._replace(opened, OpenView(read_view(response.view), opened.user, opened.channel))
            case "push":
                self._push(opened, OpenView(read_view(response.view), opened.user, opened.channel))

    def _replace(self, opened: OpenView, new: OpenView) -> None:
        new.id, new.root, new.previous = opened.id, opened.root, opened.previous
        stack = self._stacks[opened.user]
        stack[stack.index(opened)] = new

    def _push(self, opened: OpenView, new: OpenView) -> None:
        stack = self._stacks[opened.user]
        if len(stack) >= _MAX_STACK:
            raise SlackProblem("push_limit_reached")
        new.root, new.previous = opened.root or opened.id, opened.id
        stack.append(new)


def _known(opened: OpenView, errors: Mapping[str, str]) -> Mapping[str, str]:
    """Errors belong to fields; Slack shows an app's mistake as a connection problem."""
    fields = {block.block_id for block in opened.view.inputs()}
    if not errors or not set(errors) <= fields:
        raise SlackProblem("invalid_response")
    return errors
