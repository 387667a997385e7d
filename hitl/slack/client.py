"""Slack's Web API, behind our tree of errors. Retries are Temporal's: the SDK's own would post a message twice."""

from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, RateLimited, Unavailable
from hitl.slack.blocks import Shown
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
_PAGE: Final = 100
_MOST_PAGES: Final = 20


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
    """What the gateway does with messages."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._own_name: str | None = None

    async def post(self, channel: str, shown: Shown) -> str:
        """Post a message; its timestamp is its name.

        Raises:
            ConnectorError: By the tree. After `Unavailable` it may have been posted: `find` it before trying again.
        """
        with mapped(f"a message in the channel {channel!r}"):
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
        with mapped(f"the message {ts!r} in the channel {channel!r}"):
            await self._client.chat_update(
                channel=channel,
                ts=ts,
                text=shown.text,
                blocks=list(shown.blocks),  # pyright: ignore[reportArgumentType] - plain JSON
                metadata=dict(shown.metadata),
            )

    async def find(
        self, channel: str, request_id: str, *, since: datetime, ts: str | None = None, kind: str = EVENT_TYPE
    ) -> Found | None:
        """Our message about this, if there is one.

        Args:
            channel: Where.
            request_id: What it is about: an approval's id, or a message's own.
            since: From five minutes before this moment on.
            ts: Look at this message only.
            kind: Of messages, as their metadata call it.

        Raises:
            ConnectorError: By the tree.
        """
        oldest = ts or f"{(since - timedelta(minutes=5)).timestamp():.6f}"
        asked = {"oldest": oldest} if ts is None else {"oldest": ts, "latest": ts}
        async for said in self._ours("conversations.history", kind, channel=channel, **asked):
            if said.payload.get("request_id") == request_id:
                return Found(ts=said.ts, stage=int(said.payload.get("stage", 0)))
        return None

    async def said_in_thread(self, channel: str, ts: str) -> dict[str, float]:
        """The lines that we said below a message: by key, when, in seconds since 1970 by Slack's clock.

        Raises:
            ConnectorError: By the tree.
        """
        lines = self._ours("conversations.replies", _LINE_TYPE, channel=channel, ts=ts, oldest=ts)
        return {str(said.payload.get("key")): float(said.ts) async for said in lines}

    async def say_in_thread(self, channel: str, ts: str, line: Line) -> None:
        """Say a line below a message.

        Raises:
            ConnectorError: By the tree. After `Unavailable` it may have been said: look before trying again.
        """
        with mapped(f"a line below the message {ts!r} in the channel {channel!r}"):
            await self._client.chat_postMessage(
                channel=channel,
                thread_ts=ts,
                text=line.text,
                blocks=list(line.blocks),  # pyright: ignore[reportArgumentType] - plain JSON
                metadata={"event_type": _LINE_TYPE, "event_payload": {"key": line.key}},
                unfurl_links=False,
                unfurl_media=False,
            )

    async def _me(self) -> str:
        """The app's own name among users. A token's does not change."""
        if self._own_name is None:
            with mapped("the app's own name"):
                self._own_name = str(_json(await self._client.auth_test())["user_id"])
        return self._own_name

    async def _ours(self, method: str, kind: str, *, channel: str, **asked: str) -> AsyncIterator[_Said]:
        """Our own messages of one kind, page by page: others can write the same metadata, but not in our name."""
        me, cursor = await self._me(), ""
        for _ in range(_MOST_PAGES):
            params = {"channel": channel, "limit": _PAGE, "inclusive": 1, "include_all_metadata": 1, "cursor": cursor}
            with mapped(f"the messages of the channel {channel!r}"):
                answer = _json(await self._client.api_call(method, params=params | asked))
            messages: list[dict[str, Any]] = answer.get("messages") or []
            for message in messages:
                metadata: dict[str, Any] = message.get("metadata") or {}
                if message.get("user") == me and metadata.get("event_type") == kind:
                    yield _Said(ts=str(message["ts"]), payload=metadata.get("event_payload") or {})
            more: dict[str, Any] = answer.get("response_metadata") or {}
            cursor = str(more.get("next_cursor") or "")
            if not cursor:
                return


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
