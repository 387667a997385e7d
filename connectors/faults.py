"""Bad days on demand, for every twin: delays, errors, garbage, silence, and silence after the effect.

`POST /_twin/faults` takes one fault or a list, `GET` shows those left, `DELETE` forgets them. `GET /_twin/requests`
tells what was asked and how it ended, never with bodies or credentials; `DELETE` forgets that.
"""

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PREFIX: Final = "/_twin/"
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


class Garbage(_Fault):
    """Status 200 and a body that means nothing, instead of the effect."""

    kind: Literal["garbage"]


class Drop(_Fault):
    """The connection is closed before the answer is there, instead of the effect."""

    kind: Literal["drop"]


class DropAfterEffect(_Fault):
    """The effect happens, and the connection is closed before the answer is there."""

    kind: Literal["drop_after_effect"]


Fault = Annotated[Delay | Status | Garbage | Drop | DropAfterEffect, Field(discriminator="kind")]
_FAULTS: Final[TypeAdapter[list[Fault]]] = TypeAdapter(list[Fault])


class SeenRequest(BaseModel):
    """One request, as the log keeps it."""

    method: str
    path: str
    at: float = Field(description="Seconds since the epoch.")
    status: int | None = Field(default=None, description="None when nothing was answered.")
    handled: bool = Field(default=False, description="Whether the twin itself saw it.")
    fault: str | None = None


@dataclass
class FaultInjector:
    """ASGI middleware in front of a twin."""

    app: ASGIApp
    _faults: list[Fault] = field(default_factory=list[Fault])
    _seen: deque[SeenRequest] = field(default_factory=lambda: deque[SeenRequest](maxlen=_REMEMBERED))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the control paths, and let all else meet its fault, if one waits for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
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
        seen.fault = fault.kind if fault else None
        match fault:
            case None:
                await self._handle(seen, scope, receive, noted)
            case Delay():
                waiting = _Patience(receive)
                if await waiting.lasts(fault.seconds):
                    await self._handle(seen, scope, waiting.receive, noted)
            case Status():
                await _error(fault)(scope, receive, noted)
            case Garbage():
                await Response(_GARBAGE, media_type="application/json")(scope, receive, noted)
            case Drop():
                await _cut_off(send)
            case DropAfterEffect():
                await self._handle(seen, scope, receive, _swallow)
                await _cut_off(send)

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


async def _swallow(message: Message) -> None:
    del message


async def _cut_off(send: Send) -> None:
    """Begin an answer and never end it: the server then closes the connection under the client's feet."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
