"""The Slack app: what a click, a modal and a command become. It acknowledges and forwards, and holds no state.

A listener does one thing before it acknowledges: the decision's way to the approval, which ends within three seconds.
What else a person is told comes after that, and may fail without anybody losing anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from activities.guard.opinion_facts import OpinionVerdict
from connectors.errors import ConnectorError
from hitl.approval.decision import Surface, Verdict
from hitl.gateway.decisions import Click, DecisionService, Kind, Outcome, PolicyInForce
from hitl.gateway.opinions import Opinions
from hitl.hidden import unhidden, visible
from hitl.policy.file import PolicyError
from hitl.slack.blocks import escaped, plain
from hitl.slack.client import LONGEST_LINE, mapped, private_line
from hitl.slack.commands import COMMAND, Commands
from hitl.slack.messages import APPROVE, CHANGES, COMMENT, REJECT, VERDICTS, ButtonValue
from hitl.slack.opinions import MODAL as OPINION_MODAL
from hitl.slack.opinions import USEFUL, WORDS, WRONG, wrong_form

_MODAL: Final = "banksman-reason"
_REASON: Final = "reason"
_CONFIRM: Final = "banksman-confirm"
_LONGEST: Final = 500
_OPEN_SECONDS: Final = 2.5
_TITLES: Final = {
    Verdict.APPROVE: "Approve",
    Verdict.REJECT: "Reject",
    Verdict.REQUEST_CHANGES: "Ask for changes",
}
_LABELS: Final = {
    Verdict.APPROVE: "Your comment",
    Verdict.REJECT: "Why?",
    Verdict.REQUEST_CHANGES: "What must change?",
}
_log = structlog.get_logger("banksman.slack")

Json = Mapping[str, Any]


class Ack(Protocol):
    """Bolt's acknowledgement."""

    def __call__(self, *args: object, **kwargs: object) -> Awaitable[object]:
        """Answer Slack."""
        ...


class _Pressed(BaseModel):
    """A button that was pressed, as a modal carries it on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: ButtonValue
    verdict: Verdict
    channel: str
    clicked_at: datetime


class _Judged(BaseModel):
    """A button under what has ended, as a modal carries it on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: ButtonValue
    channel: str


class _NotHere(Exception):
    """Pressed where or by whom it does not count."""


@dataclass(frozen=True, kw_only=True)
class SlackApp:
    """The listeners.

    Attributes:
        client: Of Slack's Web API.
        team: The workspace that is ours, as `auth.test` says.
    """

    client: AsyncWebClient
    team: str
    clicks: DecisionService
    opinions: Opinions
    commands: Commands
    policy: PolicyInForce

    def app(self, *, signing_secret: str | None = None) -> AsyncApp:
        """The app. With a signing secret it also verifies every request, as HTTP needs it."""

        async def authorized() -> AuthorizeResult:
            # Bolt would ask Slack at the first request; a click must count also while Slack does not answer.
            return AuthorizeResult(enterprise_id=None, team_id=self.team, bot_token=self.client.token)

        app = AsyncApp(
            authorize=authorized,
            signing_secret=signing_secret or "socket-mode-verifies-nothing",
            request_verification_enabled=signing_secret is not None,
            ignoring_self_events_enabled=False,
        )
        app.action(APPROVE)(self._approve)
        app.action(COMMENT)(self._ask)
        app.action(REJECT)(self._ask)
        app.action(CHANGES)(self._ask)
        app.action(_CONFIRM)(self._opened)
        app.view(_MODAL)(self._submitted)
        app.action(USEFUL)(self._useful)
        app.action(WRONG)(self._ask_what)
        app.view(OPINION_MODAL)(self._said_wrong)
        app.command(COMMAND)(self._command)
        return app

    async def _approve(self, ack: Ack, body: Json) -> None:
        told = await self._decided(body)
        await ack()
        if told.kind is not Kind.COUNTED:  # that it is counted, only the approval says, by the message
            await self._tell(body["channel"]["id"], body["user"]["id"], told.words, link=told.link)

    async def _opened(self, ack: Ack) -> None:
        """Slack tells of it, and the browser is on its way already."""
        await ack()

    async def _decided(self, body: Json) -> Outcome:
        try:
            pressed = self._pressed(body)
        except (_NotHere, ValidationError, PolicyError) as error:
            return Outcome(kind=Kind.REFUSED, words=f"Not counted. {_said(error)}")
        return await self.clicks.decide(_click(pressed, body["user"]["id"], ""))

    async def _ask(self, ack: Ack, body: Json) -> None:
        await self._open(
            ack, body, lambda: _modal(self._pressed(body), _about(body)), otherwise="nothing is decided yet"
        )

    async def _open(self, ack: Ack, body: Json, form: Callable[[], dict[str, Any]], *, otherwise: str) -> None:
        """Open the modal first: its trigger lives for three seconds, and an acknowledgement ends nothing."""
        problem = None
        try:
            view = form()
            with mapped("a modal"):
                async with asyncio.timeout(_OPEN_SECONDS):
                    await self.client.views_open(trigger_id=body["trigger_id"], view=view)
        except (_NotHere, ValidationError, PolicyError) as error:
            problem = f"Not counted. {_said(error)}"
        except ConnectorError as error:
            _log.warning("a modal could not be opened", why=str(error))
            problem = f"Slack did not open the form; {otherwise}, click again."
        await ack()
        if problem is not None:
            await self._tell(body["channel"]["id"], body["user"]["id"], problem)

    async def _submitted(self, ack: Ack, body: Json) -> None:
        """A refusal stays in the form, where the same can be sent again."""
        view = body["view"]
        try:
            self._require_member(body)
            pressed = _Pressed.model_validate_json(view["private_metadata"])
            self._require_channel(pressed.channel)
            said = str(view["state"]["values"][_REASON]["text"]["value"] or "")
            told = await self.clicks.decide(_click(pressed, body["user"]["id"], _one_line(said)))
        except (_NotHere, ValidationError, PolicyError) as error:
            told = Outcome(kind=Kind.REFUSED, words=f"Not counted. {_said(error)}")
        if told.kind is Kind.COUNTED:
            await ack()
        else:
            await ack(response_action="errors", errors={_REASON: told.words})

    async def _useful(self, ack: Ack, body: Json) -> None:
        try:
            told = await self._judge(self._judged(body), body["user"]["id"], USEFUL)
        except (_NotHere, ValidationError, PolicyError) as error:
            told = Outcome(kind=Kind.REFUSED, words=f"Not counted. {_said(error)}")
        await ack()
        await self._tell(body["channel"]["id"], body["user"]["id"], told.words)

    async def _ask_what(self, ack: Ack, body: Json) -> None:
        def form() -> dict[str, Any]:
            return wrong_form(_about(body), self._judged(body).model_dump_json())

        await self._open(ack, body, form, otherwise="nothing is said yet")

    async def _said_wrong(self, ack: Ack, body: Json) -> None:
        """A refusal stays in the form."""
        view, user = body["view"], body["user"]["id"]
        try:
            self._require_member(body)
            judged = _Judged.model_validate_json(view["private_metadata"])
            self._require_channel(judged.channel)
            words = str(view["state"]["values"][WORDS]["text"]["value"] or "")
            told = await self._judge(judged, user, WRONG, words)
        except (_NotHere, ValidationError, PolicyError) as error:
            await ack(response_action="errors", errors={WORDS: f"Not counted. {_said(error)}"})
            return
        if told.kind is not Kind.COUNTED:
            await ack(response_action="errors", errors={WORDS: told.words})
            return
        await ack()
        await self._tell(judged.channel, user, told.words)

    async def _judge(self, judged: _Judged, user: str, verdict: OpinionVerdict, words: str = "") -> Outcome:
        """Which goal it is about, the server says, of the approval whose message was clicked."""
        return await self.opinions.give_on_approval(
            judged.value.approval, identity=f"slack:{user}", surface=Surface.SLACK.value, verdict=verdict, words=words
        )

    def _judged(self, body: Json) -> _Judged:
        self._require_member(body)
        self._require_channel(body["channel"]["id"])
        value = ButtonValue.model_validate_json(body["actions"][0]["value"])
        return _Judged(value=value, channel=body["channel"]["id"])

    async def _command(self, ack: Ack, body: Json) -> None:
        try:
            self._require_member(body)
            asker, text = f"slack:{body['user_id']}", str(body.get("text") or "")
            asked_as, channel = f"slack:{body['trigger_id']}", str(body["channel_id"])
            told = await self.commands.answer(asker, text, asked_as=asked_as, channel=channel)
        except _NotHere as error:
            told = str(error)
        await ack(text=told, response_type="ephemeral")

    def _pressed(self, body: Json) -> _Pressed:
        self._require_member(body)
        self._require_channel(body["channel"]["id"])
        action = body["actions"][0]
        return _Pressed(
            value=ButtonValue.model_validate_json(action["value"]),
            verdict=VERDICTS[action["action_id"]],
            channel=body["channel"]["id"],
            clicked_at=datetime.fromtimestamp(float(action["action_ts"]), UTC),
        )

    def _require_member(self, body: Json) -> None:
        """People of other workspaces reach shared channels, and their ids are not ours."""
        user: Json = body.get("user") or {}
        place: Json = body.get("team") or {}
        team: object = user.get("team_id") or place.get("id") or body.get("team_id")
        if team != self.team:
            raise _NotHere("This workspace is not the one that decides here.")

    def _require_channel(self, channel: str) -> None:
        policy = self.policy.current()
        if channel != policy.environments[self.policy.environment].slack_channel:
            raise _NotHere(f"{policy.source} does not name this channel; decide in the one it names.")

    async def _tell(self, channel: str, user: str, words: str, *, link: str | None = None) -> None:
        """To this person alone; after the acknowledgement, and whatever comes of it."""
        try:
            with mapped("a private line"):
                await self.client.chat_postEphemeral(
                    channel=channel, user=user, text=escaped(words), blocks=[*private_line(words), *_button(link)]
                )
        except ConnectorError as error:
            _log.warning("a person could not be told", user=user, why=str(error), words=words)


def _button(link: str | None) -> list[dict[str, Any]]:
    """Where it can be decided instead."""
    if link is None:
        return []
    button = {"type": "button", "action_id": _CONFIRM, "text": plain("Confirm in the console"), "url": link}
    return [{"type": "actions", "elements": [button | {"style": "primary"}]}]


def _click(pressed: _Pressed, user: str, reason: str) -> Click:
    return Click(
        approval_id=pressed.value.approval,
        digest=pressed.value.digest,
        identity=f"slack:{user}",
        verdict=pressed.verdict,
        reason=reason,
        surface=Surface.SLACK,
        clicked_at=pressed.clicked_at,
    )


def _about(body: Json) -> str:
    """The clicked message's own first line; what is decided on, the digest says."""
    message: Json = body.get("message") or {}
    blocks: list[Json] = message.get("blocks") or []
    heads = (one["text"]["text"] for one in blocks if one.get("type") == "header")
    return unhidden(str(next(heads, "")))[:LONGEST_LINE]


def _modal(pressed: _Pressed, about: str) -> dict[str, Any]:
    """A form for words: needed to say no, and welcome with a yes."""
    title, approves = _TITLES[pressed.verdict], pressed.verdict is Verdict.APPROVE
    field = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": _LONGEST}
    words = {
        "type": "input",
        "block_id": _REASON,
        "label": {"type": "plain_text", "text": _LABELS[pressed.verdict]},
        "element": field,
        "optional": approves,
    }
    what = {"type": "section", "text": plain(f"{about}\n{pressed.value.digest}".strip())}
    return {
        "type": "modal",
        "callback_id": _MODAL,
        "private_metadata": pressed.model_dump_json(),
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": title},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [what, words],
    }


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))[:_LONGEST]


def _said(error: Exception) -> str:
    return "This button is not one of this release." if isinstance(error, ValidationError) else str(error)
