"""How the twin tells Apps of what happened: signed requests to each App's webhook, once, as GitHub sends them.

GitHub waits ten seconds for an answer and never tries again by itself. Each attempt is kept, and can be asked for and
made again under `/app/hook/deliveries`.
"""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.authorities import authorities
from connectors.github.twin.apps import AppHook, Apps, TwinApp
from connectors.github.twin.bodies import Json, zulu
from connectors.github.twin.problems import NOT_FOUND, Problem

_WAITS_SECONDS: Final = 10.0
_KEPT: Final = 5_000
_MOST_A_PAGE: Final = 100
_NOT_SENT: Final = 0
_OK: Final = range(200, 300)
_ALWAYS: Final = frozenset({"ping", "installation", "installation_repositories", "github_app_authorization"})
"""Every App is told of these, whatever it listens to."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told of.

    Attributes:
        owner: Whose repository or installation it is.
        repository: Its id.
        app: The one App that it is about; None: each.
    """

    event: str
    payload: Json
    owner: str
    repository: int | None = None
    app: int | None = None

    @property
    def action(self) -> str | None:
        """What happened, in a word."""
        found = self.payload.get("action")
        return found if isinstance(found, str) else None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt to deliver something."""

    id: int
    guid: str
    at: float
    told: Told
    app: TwinApp
    body: bytes
    headers: dict[str, str]
    redelivery: bool
    seconds: float = 0
    status: int = _NOT_SENT
    answer: str = ""

    def listed(self) -> Json:
        """As a list tells it."""
        return {
            "id": self.id,
            "guid": self.guid,
            "delivered_at": zulu(datetime.fromtimestamp(self.at, UTC)),
            "redelivery": self.redelivery,
            "duration": round(self.seconds, 2),
            "status": "OK" if self.status in _OK else _why(self.status),
            "status_code": self.status,
            "event": self.told.event,
            "action": self.told.action,
            "installation_id": self.app.installation(self.told.owner),
            "repository_id": self.told.repository,
            "throttled_at": None,
        }

    def whole(self) -> Json:
        """With what was sent and answered."""
        return {
            **self.listed(),
            "url": self.app.hook.url if self.app.hook else "",
            "request": {"headers": self.headers, "payload": json.loads(self.body)},
            "response": {"headers": {}, "payload": self.answer},
        }


@dataclass
class Hooks:
    """Sends to every App that has a webhook.

    Args:
        apps: All of them.
        require_app: The one whose JWT a request carries.
        clock: Seconds since the epoch.
    """

    apps: Apps
    require_app: Callable[[Request], TwinApp]
    clock: Callable[[], float] = time.time
    _attempts: deque[Attempt] = field(default_factory=lambda: deque[Attempt](maxlen=_KEPT))
    _sending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _made: int = 0

    def routes(self) -> list[Route]:
        """The paths."""
        one = "/app/hook/deliveries/{delivery:int}"
        return [
            Route("/app/hook/deliveries", self._list),
            Route(one, self._one),
            Route(f"{one}/attempts", self._again, methods=["POST"]),
        ]

    @property
    def listened_to(self) -> bool:
        """Whether any App has a webhook."""
        return any(one.hook is not None and one.hook.url for one in self.apps.all)

    def tell(self, told: Iterable[Told]) -> None:
        """Send each to every App that listens and is installed there, one after the other, while others go on."""
        wanted = [(one, app) for one in told for app in self.apps.all if _listens(app, one)]
        if wanted:
            self._aside(self._tell(wanted))

    async def _tell(self, wanted: list[tuple[Told, TwinApp]]) -> None:
        for told, app in wanted:
            number = app.installation(told.owner)
            if told.event == "ping" or told.event.startswith("installation"):
                payload = told.payload
            else:
                payload = {**told.payload, "installation": {"id": number, "node_id": f"MDIz{number}"}}
            await self._attempt(app, told, str(uuid.uuid4()), json.dumps(payload).encode())

    async def _attempt(self, app: TwinApp, told: Told, guid: str, body: bytes, *, redelivery: bool = False) -> None:
        hook = app.hook
        if hook is None:
            return
        self._made += 1
        attempt = Attempt(
            id=self._made,
            guid=guid,
            at=self.clock(),
            told=told,
            app=app,
            body=body,
            headers=_headers(app, hook, told.event, guid, body),
            redelivery=redelivery,
        )
        self._attempts.appendleft(await _sent(attempt, hook))

    def _aside(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _list(self, request: Request) -> Response:
        app, query = self.require_app(request), request.query_params
        there = [one for one in self._attempts if one.app is app and _has(one, query.get("status"))]
        cursor = query.get("cursor", "")
        if cursor:
            before = cursor.removeprefix("v1_")
            if not before.isdecimal():
                raise Problem(422, "Validation Failed")
            there = [one for one in there if one.id <= int(before)]
        size = min(int(query.get("per_page", "30")), _MOST_A_PAGE)
        more = {}
        if len(there) > size:
            following = request.url.include_query_params(cursor=f"v1_{there[size].id}")
            more = {"Link": f'<{following}>; rel="next"'}
        return JSONResponse([one.listed() for one in there[:size]], headers=more)

    async def _one(self, request: Request) -> Response:
        return JSONResponse(self._found(request).whole())

    async def _again(self, request: Request) -> Response:
        found = self._found(request)
        self._aside(self._attempt(found.app, found.told, found.guid, found.body, redelivery=True))
        return JSONResponse({}, status_code=202)

    def _found(self, request: Request) -> Attempt:
        app, wanted = self.require_app(request), int(request.path_params["delivery"])
        found = next((one for one in self._attempts if one.app is app and one.id == wanted), None)
        if found is None:
            raise Problem(404, NOT_FOUND)
        return found


def _listens(app: TwinApp, told: Told) -> bool:
    if told.app not in {None, app.number}:
        return False
    if app.hook is None or not app.hook.url or (told.event != "installation" and not app.is_on(told.owner)):
        return False
    if told.owner.lower() in app.suspended and told.event not in _ALWAYS:
        return False
    return told.event in _ALWAYS or not app.events or told.event in app.events


def _headers(app: TwinApp, hook: AppHook, event: str, guid: str, body: bytes) -> dict[str, str]:
    signed = {}
    if hook.secret:
        digest = hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
        signed = {"X-Hub-Signature-256": f"sha256={digest}"}
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/b4ed5ee",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(app.number),
        "X-GitHub-Hook-Installation-Target-ID": str(app.number),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        **signed,
    }


async def _sent(attempt: Attempt, hook: AppHook) -> Attempt:
    began = time.monotonic()
    try:
        async with httpx.AsyncClient(verify=authorities(), timeout=_WAITS_SECONDS) as client:
            answer = await client.post(hook.url, content=attempt.body, headers=attempt.headers)
    except (httpx.HTTPError, httpx.InvalidURL):
        return replace(attempt, seconds=time.monotonic() - began)
    return replace(attempt, seconds=time.monotonic() - began, status=answer.status_code, answer=answer.text[:1000])


def _has(attempt: Attempt, status: str | None) -> bool:
    return status is None or (status == "success") is (attempt.status in _OK)


def _why(status: int) -> str:
    return "failed to connect to host" if status == _NOT_SENT else f"Invalid HTTP Response: {status}"
