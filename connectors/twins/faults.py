"""Bad days on demand, for every twin: delays, errors, limits, garbage, silence, each before or after the effect.

`POST /_twin/faults` takes one fault or a list, `GET` shows those left, `DELETE` forgets them. `GET /_twin/requests`
tells what was asked and how it ended, never with bodies or credentials; `DELETE` forgets that. Where the twin has a
clock, `POST /_twin/clock` with `{"advance": 60}` lets a minute go by at once, and `GET` tells its time.
"""

import asyncio
import json
import math
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.twins.clock import TwinClock

_PREFIX: Final = "/_twin/"
_CLOCK: Final = "/_twin/clock"
_REMEMBERED: Final = 10_000
_GARBAGE: Final = b"<html>this is not what you asked for"
_BODILESS: Final = frozenset({204, 304})

_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
_HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")]


class _Fault(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    method: str = Field(default="", description="GET, POST, …; any when empty.")
    path: str = Field(default="", description="A regular expression that the path must contain.")
    times: int = Field(default=1, ge=1, description="For how many requests.")

    @field_validator("path")
    @classmethod
    def _compiles(cls, path: str) -> str:
        try:
            re.compile(path)
        except re.error as error:
            raise ValueError(f"{path!r} is not a regular expression: {error}") from error
        return path

    def matches(self, scope: Scope) -> bool:
        return self.method.upper() in {"", scope["method"]} and re.search(self.path, scope["path"]) is not None


class Delay(_Fault):
    """The answer comes late. A client that hangs up meanwhile has asked for nothing."""

    kind: Literal["delay"]
    seconds: float = Field(ge=0, le=600)


class Status(_Fault):
    """An error, instead of the effect."""

    kind: Literal["status"]
    status: int = Field(ge=200, le=599)
    headers: dict[_HeaderName, _HeaderValue] = Field(default_factory=dict)
    body: dict[str, JsonValue] | str = ""


class RateLimit(_Fault):
    """The provider's own refusal of what comes too fast, instead of the effect."""

    kind: Literal["rate_limit"]
    seconds: float = Field(default=1.0, ge=0, le=86_400)


class Garbage(_Fault):
    """Status 200 and a body that means nothing, instead of the effect."""

    kind: Literal["garbage"]


class Drop(_Fault):
    """The connection is closed before the answer is there, instead of the effect."""

    kind: Literal["drop"]


class DropAfterEffect(_Fault):
    """The effect happens, and the connection is closed before the answer is there."""

    kind: Literal["drop_after_effect"]


class Silence(_Fault):
    """Nothing is ever answered, until the client hangs up."""

    kind: Literal["silence"]
    after_effect: bool = Field(default=False, description="Whether the effect happens first.")


Fault = Annotated[Delay | Status | RateLimit | Garbage | Drop | DropAfterEffect | Silence, Field(discriminator="kind")]
_FAULTS: Final[TypeAdapter[list[Fault]]] = TypeAdapter(list[Fault])


class SeenRequest(BaseModel):
    """One request, as the log keeps it."""

    method: str
    path: str
    at: float = Field(description="Seconds since the epoch.")
    status: int | None = Field(default=None, description="None when nothing was answered.")
    handled: bool = Field(default=False, description="Whether the twin itself saw it.")
    fault: str | None = None


class _Advance(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    advance: float = Field(ge=0, description="Seconds.")


def _too_many(wait: float) -> Response:
    return Response(status_code=429, headers={"Retry-After": str(math.ceil(wait))})


FAULT: Final = "banksman.fault"
"""Where a request's scope says which fault it met, for who stands in front and judges."""


@dataclass
class FaultInjector:
    """ASGI middleware in front of a twin.

    Attributes:
        clock: The twin's, where it has one of its own.
        limited: The provider's refusal of what comes too fast, by the seconds to wait.
    """

    app: ASGIApp
    clock: TwinClock | None = None
    limited: Callable[[float], Response] = _too_many
    _faults: list[Fault] = field(default_factory=list[Fault])
    _seen: deque[SeenRequest] = field(default_factory=lambda: deque[SeenRequest](maxlen=_REMEMBERED))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the control paths, and let all else meet its fault, if one waits for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == _CLOCK and self.clock is not None:
            await (await _tell_time(Request(scope, receive), self.clock))(scope, receive, send)
        elif scope["path"].startswith(_PREFIX):
            await (await self._control(Request(scope, receive)))(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = SeenRequest(method=scope["method"], path=scope["path"], at=time.time())
        self._seen.append(seen)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            await send(message)

        fault = self._take(scope)
        scope[FAULT] = seen.fault = fault.kind if fault else None
        match fault:
            case Delay():
                await self._handle_late(seen, fault.seconds, scope, receive, noted)
            case Drop():
                await _cut_off(send)
            case DropAfterEffect():
                await self._handle(seen, scope, receive, _swallow)
                await _cut_off(send)
            case Silence():
                if fault.after_effect:
                    await self._handle(seen, scope, receive, _swallow)
                await _hung_up(receive)
            case Status() | RateLimit() | Garbage():
                await self._instead(fault)(scope, receive, noted)
            case None:
                await self._handle(seen, scope, receive, noted)

    def _instead(self, fault: Status | RateLimit | Garbage) -> Response:
        if isinstance(fault, RateLimit):
            return self.limited(fault.seconds)
        return _error(fault) if isinstance(fault, Status) else Response(_GARBAGE, media_type="application/json")

    async def _handle_late(self, seen: SeenRequest, seconds: float, scope: Scope, receive: Receive, send: Send) -> None:
        waiting = _Patience(receive)
        if await waiting.lasts(seconds):
            await self._handle(seen, scope, waiting.receive, send)

    async def _handle(self, seen: SeenRequest, scope: Scope, receive: Receive, send: Send) -> None:
        seen.handled = True
        await self.app(scope, receive, send)

    def _take(self, scope: Scope) -> Fault | None:
        for fault in self._faults:
            if fault.matches(scope):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    async def _control(self, request: Request) -> Response:
        match (request.method, request.url.path.removeprefix(_PREFIX)):
            case ("GET", "faults"):
                return JSONResponse([fault.model_dump() for fault in self._faults])
            case ("POST", "faults"):
                return await self._add(request)
            case ("DELETE", "faults"):
                self._faults.clear()
                return Response(status_code=204)
            case ("GET", "requests"):
                return JSONResponse([seen.model_dump() for seen in self._seen])
            case ("DELETE", "requests"):
                self._seen.clear()
                return Response(status_code=204)
            case _:
                return JSONResponse({"message": "there are /_twin/faults and /_twin/requests"}, status_code=404)

    async def _add(self, request: Request) -> Response:
        try:
            given = json.loads(await request.body())
            faults = _FAULTS.validate_python(given if isinstance(given, list) else [given])
            answer = JSONResponse([fault.model_dump() for fault in faults], status_code=201)
        except (ValueError, RecursionError) as error:
            said = str(error).encode(errors="backslashreplace").decode()
            return JSONResponse({"message": said}, status_code=422)
        self._faults.extend(faults)
        return answer


async def _tell_time(request: Request, clock: TwinClock) -> Response:
    if request.method == "POST":
        try:
            clock.advance(_Advance.model_validate_json(await request.body()).advance)
        except ValidationError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
    return JSONResponse({"now": clock(), "ahead": clock.ahead})


def _error(fault: Status) -> Response:
    if fault.status in _BODILESS:
        return Response(status_code=fault.status, headers=fault.headers)
    if isinstance(fault.body, str):
        return Response(fault.body, status_code=fault.status, headers=fault.headers)
    return JSONResponse(fault.body, status_code=fault.status, headers=fault.headers)


@dataclass
class _Patience:
    """Watches the client during a delay, and keeps what it sends meanwhile for the twin."""

    source: Receive
    _kept: deque[Message] = field(default_factory=deque[Message])

    async def lasts(self, seconds: float) -> bool:
        """Whether the client is still there after the delay."""
        try:
            async with asyncio.timeout(seconds):
                while (message := await self.source())["type"] != "http.disconnect":
                    self._kept.append(message)
        except TimeoutError:
            return True
        return False

    async def receive(self) -> Message:
        """What the client sent, from the beginning."""
        return self._kept.popleft() if self._kept else await self.source()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _swallow(message: Message) -> None:
    del message


async def _cut_off(send: Send) -> None:
    """Begin an answer and never end it: the server then closes the connection under the client's feet."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
