"""HTTP mode: events, interactions and commands as signed requests to the app's address."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlencode

import httpx

from connectors.authorities import authorities
from connectors.slack.twin.envelopes import Answer, Envelope
from connectors.slack.twin.problems import Json

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


def signature(secret: str, *, timestamp: str, body: bytes) -> str:
    """Slack's signature of a request."""
    base = b":".join((b"v0", timestamp.encode(), body))
    return f"v0={hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()}"


@dataclass
class Requests:
    """The way to an app that has an address.

    Args:
        clock: Seconds since the epoch; signed with each request.
    """

    url: str
    signing_secret: str
    clock: Callable[[], float] = time.time

    async def carry(self, envelope: Envelope, *, seconds: float, copies: int = 1) -> Answer:
        """Send a request, or the same one several times; the last answer counts."""
        body, kind = _encoded(envelope)
        answer = Answer("unreachable")
        async with httpx.AsyncClient(verify=authorities(), timeout=seconds) as client:
            for _ in range(copies):
                answer = await self._post(client, body, self._headers(envelope, body, kind))
        return answer

    def _headers(self, envelope: Envelope, body: bytes, kind: str) -> dict[str, str]:
        timestamp = str(int(self.clock()))
        headers = {
            "Content-Type": kind,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self.signing_secret, timestamp=timestamp, body=body),
        }
        if envelope.attempt:
            headers |= {"X-Slack-Retry-Num": str(envelope.attempt), "X-Slack-Retry-Reason": envelope.reason}
        return headers

    async def _post(self, client: httpx.AsyncClient, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            response = await client.post(self.url, content=body, headers=headers)
        except httpx.TimeoutException:
            return Answer("timed_out")
        except httpx.HTTPError:
            return Answer("unreachable")
        if response.status_code != HTTPStatus.OK.value:
            return Answer("refused")
        return Answer("acknowledged", _payload(response))


def _encoded(envelope: Envelope) -> tuple[bytes, str]:
    match envelope.kind:
        case "interactive":
            return urlencode({"payload": json.dumps(envelope.payload)}).encode(), _FORM
        case "slash_commands":
            return urlencode({name: str(value) for name, value in envelope.payload.items()}).encode(), _FORM
        case "events_api":
            return json.dumps(envelope.payload).encode(), _JSON


def _payload(response: httpx.Response) -> Json:
    """What the answer says: JSON, or a line of text for a command."""
    if not response.content:
        return {}
    try:
        told = response.json()
    except ValueError:
        return {"text": response.text}
    return cast("Json", told) if isinstance(told, dict) else {}
