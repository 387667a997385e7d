"""GitHub's deliveries over HTTP: verified over the raw body, read into a small event, and handed to a workflow at once.

GitHub waits ten seconds and never sends a delivery again by itself, so nothing is done here but that. Anybody can send
to this address: before the signature is verified nothing is parsed, and no more is read than there is room for.

The signature is over the body alone. A body that comes again under another GUID than before is therefore known by its
signature: in this process, among the last ones.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from temporalio.service import RPCError

from connectors.errors import ConnectorError, Unavailable
from hitl.gateway.deliveries import Arrival, Deliveries
from hitl.gateway.webhook_secrets import WebhookSecretSource
from hitl.github.events import (
    EVENTS,
    WEBHOOKS,
    AnyEvent,
    IssueCommentEvent,
    PullRequestReviewCommentEvent,
    PullRequestReviewEvent,
    read_event,
)
from hitl.github.other_events import OTHER_EVENTS
from hitl.github.ours import Ours
from hitl.github.signature import BodySignature, WebhookSecrets
from observability import names

MAX_BODY_BYTES: Final = 25 * 1024 * 1024
"""What GitHub sends at most; a larger payload it does not deliver."""

_ROOM_BYTES: Final = 3 * MAX_BODY_BYTES
"""Of all bodies that are read at once."""
_READ_SECONDS: Final = 8.0
_IN_A_THREAD_BYTES: Final = 256 * 1024
_OLDEST: Final = timedelta(days=3, hours=1)
"""GitHub sends nothing again that is older than three days."""
_REMEMBERED: Final = 20_000
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_EVENT: Final = re.compile(r"[a-z_]{1,64}")
_SIGNATURE: Final = re.compile(r"sha256=[0-9a-f]{64}")
_LENGTH: Final = re.compile(r"[0-9]{1,12}")
_OTHER: Final = "other"
_RECEIVED: Final = Counter(
    names.METRIC_GITHUB_DELIVERIES, "Deliveries of GitHub's that were taken or refused.", ("event", "outcome")
)
_log = structlog.get_logger("banksman.github")


class _Refused(Exception):
    """Not taken. The message is the answer's one line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Receiver:
    """Takes deliveries.

    Args:
        secrets: What GitHub signs with.
        deliveries: Has them worked off.
        clock: The time.
    """

    def __init__(
        self,
        secrets: WebhookSecretSource,
        deliveries: Deliveries,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secrets, self._deliveries, self._clock = secrets, deliveries, clock
        self._room = _ROOM_BYTES
        self._seen: OrderedDict[str, str] = OrderedDict()
        self._ours = Ours()

    def app(self) -> Starlette:
        """The one address that GitHub is given."""
        return Starlette(routes=[Route(WEBHOOKS, self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        event = request.headers.get("X-GitHub-Event", "")
        label = event if event in EVENTS or event in OTHER_EVENTS else _OTHER
        try:
            told = await self._take(request, event)
        except _Refused as refused:
            _RECEIVED.labels(event=label, outcome="refused").inc()
            _log.warning("a delivery is refused", event_name=label, status=refused.status, why=str(refused))
            return _line(refused.status, str(refused))
        except (ConnectorError, RPCError, TimeoutError) as error:
            _RECEIVED.labels(event=label, outcome="unavailable").inc()
            why = str(error) if isinstance(error, ConnectorError) else "Temporal does not answer"
            _log.warning("a delivery is not taken yet", event_name=label, why=why)
            return _line(503, "Not taken now: Temporal or Vault does not answer. Send it again.")
        _RECEIVED.labels(event=label, outcome=told).inc()
        return _line(202, told)

    async def _take(self, request: Request, event: str) -> str:
        guid, signature, length = _headers(request, event)
        body = await self._verified(request, signature, length)
        if self._seen.get(signature, guid) != guid:
            return Arrival.KNOWN
        if (found := await _read(event, body)) is None:
            return "ignored"
        self._require_recent(found)
        if self._ours.is_own(found, request.headers):
            return "own"  # not remembered: under another header it may be taken for another's
        arrival = await self._deliveries.receive(guid, found)
        self._remember(signature, guid)
        return arrival

    async def _verified(self, request: Request, signature: str, length: int) -> bytes:
        """The body, once GitHub's signature over it is verified."""
        secrets = await self._secrets.current()
        if length > self._room:
            raise Unavailable("too much is being read at once")
        self._room -= length
        try:
            taken = BodySignature(secrets)
            body = await _read_body(request, taken)
            if not taken.is_good(signature) and not await self._signed_anew(secrets, signature, body):
                raise _Refused(401, "The signature is not good: set the webhook's secret at GitHub as Vault has it.")
            return body
        finally:
            self._room += length

    async def _signed_anew(self, known: WebhookSecrets, signature: str, body: bytes) -> bool:
        """Whether it is signed with a secret that came into Vault since the known one was read."""
        newer = await self._secrets.newer_than(known)
        if newer is None:
            return False
        taken = BodySignature(newer)
        taken.take(body)
        return taken.is_good(signature)

    def _require_recent(self, event: AnyEvent) -> None:
        """A comment or a review that was made long ago comes from whoever kept it."""
        made = _made(event)
        if made is not None and self._clock() - made > _OLDEST:
            raise _Refused(400, "This comment is older than GitHub delivers any.")

    def _remember(self, signature: str, guid: str) -> None:
        self._seen[signature] = guid
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def _made(event: AnyEvent) -> datetime | None:
    """When that was written in which a command can stand."""
    match event:
        case IssueCommentEvent() | PullRequestReviewCommentEvent() if event.action == "created":
            return event.comment.created_at
        case PullRequestReviewEvent() if event.action == "submitted":
            return event.review.submitted_at
        case _:
            return None


def _headers(request: Request, event: str) -> tuple[str, str, int]:
    """GUID, signature and length; anything that is no delivery is refused before a byte of it is read."""
    signature = request.headers.get("X-Hub-Signature-256", "")
    if not _SIGNATURE.fullmatch(signature):
        raise _Refused(401, "No signature: give the webhook a secret at GitHub.")
    guid = request.headers.get("X-GitHub-Delivery", "")
    if not _GUID.fullmatch(guid) or not _EVENT.fullmatch(event):
        raise _Refused(400, "This is no delivery of GitHub's: X-GitHub-Delivery or X-GitHub-Event is none.")
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(400, "Set the webhook's content type to application/json at GitHub.")
    said = request.headers.get("Content-Length", "")
    if not _LENGTH.fullmatch(said) or int(said) > MAX_BODY_BYTES:
        raise _Refused(413, "Too long, or of no said length: GitHub sends at most 25 MB.")
    return guid.lower(), signature, int(said)


async def _read_body(request: Request, taken: BodySignature) -> bytes:
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout(_READ_SECONDS):
            async for piece in request.stream():
                taken.take(piece)
                pieces.append(piece)
    except (ClientDisconnect, TimeoutError) as error:
        raise _Refused(400, "The body ended before it was complete.") from error
    return b"".join(pieces)


async def _read(event: str, body: bytes) -> AnyEvent | None:
    try:
        if len(body) <= _IN_A_THREAD_BYTES:
            return read_event(event, body)
        return await asyncio.to_thread(read_event, event, body)
    except ValueError as error:
        raise _Refused(400, "This is not such an event as GitHub describes it.") from error


def _line(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status)
