"""Slack's Web API, behind our tree of errors. Retries are Temporal's: the SDK's own would post a message twice."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, RateLimited, Unavailable
from connectors.limits import Allowance, Rate
from hitl.slack.blocks import Shown, escaped, plain
from hitl.slack.messages import EVENT_TYPE
from hitl.slack.thread import Line

_DENIED: Final = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope"}
)
_GONE: Final = frozenset({"channel_not_found", "not_in_channel", "is_archived", "message_not_found"})
_FOR_NOW: Final = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_LINE_TYPE: Final = "banksman_progress"
_PAGE: Final = 200
_MOST_PAGES: Final = 10
_PAGES_OF_A_LOOK: Final = 3
"""At one try; the next one goes on from there, so that none takes longer than a step may."""
LONGEST_LINE: Final = 2900
"""Characters of a text in one block; Slack takes 3,000."""
_POST: Final = "chat.postMessage"
_MINUTE: Final = 60.0
_SKEW: Final = 300.0
"""Seconds that Slack's clock may be behind ours."""


class NotSent(Unavailable):
    """Slack could not even be connected to, so that nothing can have come of it."""


@dataclass(frozen=True, kw_only=True)
class SlackRates:
    """What Slack lets an app ask.

    Attributes:
        posts_per_second: Messages to one channel.
        calls_per_minute: Of each method that changes or reads messages (Slack's tier 3).
    """

    posts_per_second: float = 1.0
    calls_per_minute: float = 50.0

    def of(self, method: str) -> Rate:
        """Slack allows short bursts; less is taken here, because several processes may ask."""
        if method == _POST:
            return Rate(per_second=self.posts_per_second, burst=3)
        return Rate(per_second=self.calls_per_minute / _MINUTE, burst=10)


@dataclass
class Look:
    """How far a search through a channel is; what was read of it is not read again.

    Attributes:
        since: What is older cannot be it, in seconds since 1970.
        cursor: Where Slack goes on.
    """

    since: float
    cursor: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A message of ours, and how far what it shows is."""

    ts: str
    stage: int


@dataclass(frozen=True, kw_only=True)
class _Said:
    ts: str
    payload: Mapping[str, Any]


def web_client(token: SecretStr, *, url: str, timeout: int = 10) -> AsyncWebClient:
    """A client that tries everything once."""
    return AsyncWebClient(
        token=token.get_secret_value(), base_url=f"{url.rstrip('/')}/api/", timeout=timeout, retry_handlers=[]
    )


class SlackMessages:
    """What the gateway does with messages: everything in one process shares what Slack lets the app ask."""

    def __init__(self, client: AsyncWebClient, rates: SlackRates = SlackRates()) -> None:
        self._client = client
        self._rates = rates
        self._allowances: dict[str, Allowance] = {}
        self._own_name: str | None = None

    async def post(self, channel: str, shown: Shown) -> str:
        """Post a message; its timestamp is its name.

        Raises:
            ConnectorError: By the tree. After `Unavailable` it may have been posted: `find` it before trying again.
                After `NotSent` and `RateLimited` it was not.
        """
        async with self._asking(_POST, f"a message in the channel {channel!r}", channel=channel):
            answer = await self._client.chat_postMessage(
                channel=channel,
                text=shown.text,
                blocks=list(shown.blocks),  # pyright: ignore[reportArgumentType] - plain JSON
                metadata=dict(shown.metadata),
                unfurl_links=False,
                unfurl_media=False,
            )
            return str(_json(answer)["ts"])

    async def update(self, channel: str, ts: str, shown: Shown) -> None:
        """Show something else in its place.

        Raises:
            ConnectorError: By the tree.
        """
        async with self._asking("chat.update", f"the message {ts!r} in the channel {channel!r}"):
            await self._client.chat_update(
                channel=channel,
                ts=ts,
                text=shown.text,
                blocks=list(shown.blocks),  # pyright: ignore[reportArgumentType] - plain JSON
                metadata=dict(shown.metadata),
            )

    async def find(
        self,
        channel: str,
        request_id: str,
        *,
        since: datetime | Look,
        ts: str | None = None,
        kind: str = EVENT_TYPE,
    ) -> Found | None:
        """Our message about this, if there is one.

        Args:
            channel: Where.
            request_id: What it is about: an approval's id, or a message's own.
            since: From five minutes before this moment on; a `Look` is kept up to date, also where this fails.
            ts: Look at this message only.
            kind: Of messages, as their metadata call it.

        Raises:
            ConnectorError: By the tree.
        """
        look, most = (
            (since, _PAGES_OF_A_LOOK) if isinstance(since, Look) else (Look(since=since.timestamp()), _MOST_PAGES)
        )
        oldest = f"{look.since - _SKEW:.6f}"
        asked = {"oldest": oldest} if ts is None else {"oldest": ts, "latest": ts}
        async for said in self._ours("conversations.history", kind, look, channel=channel, most=most, **asked):
            if said.payload.get("request_id") == request_id:
                return Found(ts=said.ts, stage=int(said.payload.get("stage", 0)))
        if look.cursor:
            raise Unavailable(f"the channel {channel!r} is long: the search for a message of ours goes on")
        return None

    async def said_in_thread(self, channel: str, ts: str) -> dict[str, float]:
        """The lines that we said below a message: by key, when, in seconds since 1970 by Slack's clock.

        Raises:
            ConnectorError: By the tree.
        """
        look = Look(since=0)
        lines = self._ours("conversations.replies", _LINE_TYPE, look, channel=channel, ts=ts, oldest=ts)
        return {str(said.payload.get("key")): float(said.ts) async for said in lines}

    async def say_in_thread(self, channel: str, ts: str, line: Line) -> None:
        """Say a line below a message.

        Raises:
            ConnectorError: By the tree. After `Unavailable` it may have been said: look before trying again.
        """
        what = f"a line below the message {ts!r} in the channel {channel!r}"
        async with self._asking(_POST, what, channel=channel):
            await self._client.chat_postMessage(
                channel=channel,
                thread_ts=ts,
                text=line.text,
                blocks=list(line.blocks),  # pyright: ignore[reportArgumentType] - plain JSON
                metadata={"event_type": _LINE_TYPE, "event_payload": {"key": line.key}},
                unfurl_links=False,
                unfurl_media=False,
            )

    async def tell_one(self, channel: str, user: str, words: str) -> None:
        """Say something that one person alone sees, and that Slack does not keep.

        Args:
            channel: Where they are.
            user: Slack's id of theirs.
            words: Plain text; nothing of it is markup.

        Raises:
            ConnectorError: By the tree. After `Unavailable` it may have been said, and nobody can look.
        """
        async with self._asking("chat.postEphemeral", f"a private line in the channel {channel!r}"):
            await self._client.chat_postEphemeral(
                channel=channel, user=user, text=escaped(words), blocks=private_line(words)
            )

    async def _me(self) -> str:
        """The app's own name among users. A token's does not change."""
        if self._own_name is None:
            with mapped("the app's own name"):
                self._own_name = str(_json(await self._client.auth_test())["user_id"])
        return self._own_name

    async def _ours(
        self, method: str, kind: str, look: Look, *, channel: str, most: int = _MOST_PAGES, **asked: str
    ) -> AsyncIterator[_Said]:
        """Our own messages of one kind, page by page: others can write the same metadata, but not in our name."""
        me = await self._me()
        for _ in range(most):
            params = {"channel": channel, "limit": _PAGE, "inclusive": 1, "include_all_metadata": 1}
            async with self._asking(method, f"the messages of the channel {channel!r}"):
                answer = _json(await self._client.api_call(method, params=params | {"cursor": look.cursor} | asked))
            messages: list[dict[str, Any]] = answer.get("messages") or []
            for message in messages:
                metadata: dict[str, Any] = message.get("metadata") or {}
                if message.get("user") == me and metadata.get("event_type") == kind:
                    yield _Said(ts=str(message["ts"]), payload=metadata.get("event_payload") or {})
            more: dict[str, Any] = answer.get("response_metadata") or {}
            look.cursor = str(more.get("next_cursor") or "")
            if not look.cursor:
                return

    @asynccontextmanager
    async def _asking(self, method: str, what: str, *, channel: str = "") -> AsyncGenerator[None]:
        """One call, in its turn.

        Raises:
            ConnectorError: By the tree; `RateLimited` also where it was not asked at all.
        """
        allowance = self._allowances.setdefault(f"{method} {channel}", Allowance(self._rates.of(method)))
        await allowance.turn(what)
        try:
            with mapped(what):
                yield
        except RateLimited as limited:
            allowance.close(limited.retry_after)
            raise


def private_line(words: str) -> list[dict[str, Any]]:
    """What one person alone is told, as blocks."""
    return [{"type": "section", "text": plain(words[:LONGEST_LINE])}]


def _json(answer: AsyncSlackResponse) -> dict[str, Any]:
    """What an answer says; the SDK's own accessors carry no types."""
    data = cast("object", answer.data)  # pyright: ignore[reportUnknownMemberType] - the SDK leaves it open
    if not isinstance(data, dict):
        raise Unavailable("Slack answered with something that is not JSON; it is tried again")
    return cast("dict[str, Any]", data)


@contextmanager
def mapped(what: str) -> Generator[None]:
    """Slack's errors as ours.

    Raises:
        ConnectorError: By the tree.
    """
    try:
        yield
    except SlackApiError as error:
        raise _of(error, what) from error
    except aiohttp.ClientConnectorError as error:
        raise NotSent(f"Slack cannot be reached for {what} ({type(error).__name__}); it is tried again") from error
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"Slack cannot be reached for {what} ({type(error).__name__}); it is tried again") from error


def _of(error: SlackApiError, what: str) -> ConnectorError:
    answer: Any = error.response
    status = int(getattr(answer, "status_code", 0) or 0)
    word = str(answer.get("error") or "") if hasattr(answer, "get") else ""
    if status == _TOO_MANY or word in {"ratelimited", "rate_limited"}:
        headers: Any = getattr(answer, "headers", {}) or {}
        after = str(headers.get("Retry-After", ""))
        return RateLimited(
            f"Slack's rate limit is used up for {what}; it waits as Slack asks",
            retry_after=timedelta(seconds=int(after)) if after.isdigit() else None,
        )
    if word in _DENIED:
        return AuthDenied(f"Slack refuses {what} ({word}): put a working token at slack/app in Vault")
    if word in _GONE:
        return NotFound(f"Slack has no place for {what} ({word}): invite the app to the channel that the policy names")
    if not word or word in _FOR_NOW or status >= _SERVER_ERROR:
        return Unavailable(f"Slack failed at {what} ({word or status}); it is tried again")
    return InvalidRequest(f"Slack does not accept {what} ({word}); an operator finds the cause in the gateway's log")
