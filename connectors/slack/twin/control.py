"""The twin's controls for scripts and tests: act as a person, look at what there is, and plant bad days.

All take and give JSON, under `/_twin/`. Beside them stand those of every twin: `/_twin/faults`, `/_twin/requests`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.slack.twin.envelopes import FAULTS
from connectors.slack.twin.people import Clicked, Outcome, People
from connectors.slack.twin.problems import NotPossible
from connectors.slack.twin.views import OpenView
from connectors.slack.twin.workspace import Message

T = TypeVar("T")


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user: str


class _Click(_Asked):
    channel: str
    ts: str
    action_id: str
    block_id: str | None = None
    confirm: bool = Field(default=True, description="What the person says when the button asks for it.")


class _Submit(_Asked):
    view: str | None = None
    values: dict[str, str] = Field(default_factory=dict, description="By block id.")


class _Close(_Asked):
    view: str | None = None


class _Command(_Asked):
    channel: str
    command: str = Field(description="The whole line: /banksman goals.")


class _Say(_Asked):
    channel: str
    text: str
    thread_ts: str | None = None
    times: int = Field(default=1, ge=1, le=1000, description="How often; the last message is the answer.")


class _Disconnect(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Literal["warning", "refresh_requested", "link_disabled"] = "refresh_requested"


@dataclass
class Control:
    """The routes under `/_twin/`."""

    people: People

    def routes(self) -> list[Route]:
        """All of them."""
        post, get = ["POST"], ["GET"]
        return [
            Route("/_twin/click", self._guarded(self._click), methods=post),
            Route("/_twin/submit", self._guarded(self._submit), methods=post),
            Route("/_twin/close", self._guarded(self._close), methods=post),
            Route("/_twin/command", self._guarded(self._command), methods=post),
            Route("/_twin/say", self._guarded(self._say), methods=post),
            Route("/_twin/disconnect", self._guarded(self._disconnect), methods=post),
            Route("/_twin/messages", self._guarded(self._messages), methods=get),
            Route("/_twin/view", self._guarded(self._view), methods=get),
            Route("/_twin/notices", self._guarded(self._notices), methods=get),
            Route("/_twin/connections", self._connections, methods=get),
            Route("/_twin/envelopes", self._envelopes, methods=get),
            Route("/_twin/envelope-faults", self._guarded(self._faults), methods=["GET", "POST", "DELETE"]),
        ]

    def _guarded(self, route: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip()
            if request.method == "POST" and kind != "application/json":  # which a page from elsewhere cannot send
                return _refusal(415, "send JSON, with the content type application/json")
            try:
                return await route(request)
            except NotPossible as error:
                return _refusal(409, str(error))
            except ValidationError as error:
                return _refusal(422, str(error))

        return answer

    async def _click(self, request: Request) -> Response:
        asked = await _read(_Click, request)
        clicked = Clicked(asked.channel, asked.ts, asked.action_id, asked.block_id)
        _, _, button = self.people.button(asked.user, clicked)
        if button.confirm is not None and not asked.confirm:
            return _told(Outcome(acknowledged=False))
        return _told(await self.people.click(asked.user, clicked, base_url=base_url(request)))

    async def _submit(self, request: Request) -> Response:
        asked = await _read(_Submit, request)
        return _told(await self.people.submit(asked.user, asked.values, view_id=asked.view))

    async def _close(self, request: Request) -> Response:
        asked = await _read(_Close, request)
        return _told(await self.people.close(asked.user, view_id=asked.view))

    async def _command(self, request: Request) -> Response:
        asked = await _read(_Command, request)
        line, base = asked.command, base_url(request)
        return _told(await self.people.command(asked.user, asked.channel, line=line, base_url=base))

    async def _say(self, request: Request) -> Response:
        asked = await _read(_Say, request)
        say = partial(self.people.say, asked.user, asked.channel, text=asked.text, thread_ts=asked.thread_ts)
        said = [say() for _ in range(asked.times)]
        return JSONResponse(self._message(said[-1]), status_code=201)

    async def _disconnect(self, request: Request) -> Response:
        asked = await _read(_Disconnect, request)
        return JSONResponse({"connections": await self.people.deliveries.sockets.disconnect(asked.reason)})

    async def _messages(self, request: Request) -> Response:
        query = request.query_params
        channel = query.get("channel", "")
        workspace = self.people.workspace
        found = workspace.shown(channel, query["user"]) if "user" in query else workspace.all(channel)
        thread = query.get("thread_ts")
        return JSONResponse(
            [self._message(one) for one in found if thread is None or thread in {one.ts, one.thread_ts}]
        )

    async def _view(self, request: Request) -> Response:
        opened = self.people.opened(request.query_params.get("user", ""))
        return JSONResponse(self._told_view(opened))

    async def _notices(self, request: Request) -> Response:
        user = self.people.person(request.query_params.get("user", "")).id
        return JSONResponse([one._asdict() for one in self.people.workspace.notices(user)])

    async def _connections(self, request: Request) -> Response:
        del request
        there = self.people.deliveries.sockets.connections
        return JSONResponse([{"id": one.id, "sent": one.sent, "leaving": one.leaving} for one in there])

    async def _envelopes(self, request: Request) -> Response:
        del request
        return JSONResponse([one.model_dump() for one in self.people.deliveries.log.sent])

    async def _faults(self, request: Request) -> Response:
        log = self.people.deliveries.log
        if request.method == "DELETE":
            log.faults.clear()
            return Response(status_code=204)
        status = 200
        if request.method == "POST":
            given = TypeAdapter(list[dict[str, object]] | dict[str, object]).validate_json(await request.body())
            log.faults.extend(FAULTS.validate_python(given if isinstance(given, list) else [given]))
            status = 201
        return JSONResponse([fault.model_dump() for fault in log.faults], status_code=status)

    def _message(self, message: Message) -> dict[str, object]:
        told = self.people.workspace.told(message, with_metadata=True)
        return told | {"channel": message.channel, "only_for": message.only_for, "edits": message.edits}

    def _told_view(self, opened: OpenView) -> dict[str, object]:
        told = opened.told(self.people.workspace.config)
        return told | {"errors": dict(opened.errors), "problem": opened.problem}


def base_url(request: Request) -> str:
    """Where the twin is reached, as the caller reached it."""
    return str(request.base_url).rstrip("/")


async def _read(model: type[T], request: Request) -> T:
    return TypeAdapter(model).validate_json(await request.body())


def _told(outcome: Outcome) -> Response:
    return JSONResponse(outcome.model_dump())


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status_code=status)
