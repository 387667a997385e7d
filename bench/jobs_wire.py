"""Between GitHub and two gateways: a balancer as people put in front of them, on a line that has bad days of its own.

The balancer hands a delivery to one gateway, in turn, and to the other where the first does not answer or cannot take
it. The line, where it is told to, loses a delivery, loses its answer, brings it twice or brings it late.
"""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.authorities import authorities
from hitl.github.events import WEBHOOKS
from workers.serving import bind, serve

GITHUB_WAITS: Final = 10.0
"""Seconds for an answer."""
LATE: Final = 3.0
"""Seconds that a late delivery takes more."""
_NOT_TAKEN: Final = 502
_CARRIED: Final = ("content-type", "user-agent", "x-github-", "x-hub-signature")
_GUID: Final = "X-GitHub-Delivery"


class Mishap(StrEnum):
    """What the line does to a delivery."""

    NONE = "none"
    TWICE = "twice"
    LATE = "late"
    LOST = "lost"
    ANSWER_LOST = "answer lost"


MISHAPS: Final = (
    *(Mishap.NONE, Mishap.TWICE, Mishap.NONE, Mishap.LATE, Mishap.NONE, Mishap.LOST, Mishap.NONE, Mishap.TWICE),
    *(Mishap.NONE, Mishap.LATE, Mishap.ANSWER_LOST, Mishap.NONE),
)
"""In turn, while the line is bad: of twelve, two come twice, two late, one never, and the answer to one is lost."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How a delivery was answered by the balancer.

    Attributes:
        status: 0 where no gateway answered in time.
        at: When it was sent, in seconds since 1970.
        seconds: Until its answer.
        tries: How many gateways were asked.
    """

    status: int
    at: float
    seconds: float
    tries: int

    @property
    def taken(self) -> bool:
        """As GitHub counts it."""
        return 200 <= self.status < 300


@dataclass
class Balancer:
    """Asks gateways.

    Args:
        hands: What it asks with.
        gateways: Their addresses.
    """

    hands: httpx.AsyncClient
    gateways: Sequence[str]
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    async def pass_on(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """To one of them, and once to the other where that is of no use."""
        at, began, first = time.time(), time.perf_counter(), next(self._turn)
        status = tries = 0
        for number in range(len(self.gateways)):
            tries += 1
            status = await self._ask(self.gateways[(first + number) % len(self.gateways)], body, headers)
            if 0 < status < 500:
                break
        return Answer(status=status, at=at, seconds=time.perf_counter() - began, tries=tries)

    async def _ask(self, gateway: str, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            return (await self.hands.post(f"{gateway}{WEBHOOKS}", content=body, headers=headers)).status_code
        except httpx.TransportError:
            return 0


@dataclass
class Line:
    """What GitHub's twin sends to.

    Attributes:
        balancer: Where it leads.
        bad: Whether things happen on it.
        closed: Whether it swallows all, as if there were nobody to tell.
        answers: What gateways answered, whatever the line made of it.
        comments: By the number of a person's comment, the deliveries of it by their GUIDs.
        met: How often each thing happened.
    """

    balancer: Balancer
    bad: bool = False
    closed: bool = False
    answers: list[Answer] = field(default_factory=list[Answer])
    comments: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    met: dict[Mishap, int] = field(default_factory=lambda: dict.fromkeys(Mishap, 0))
    _seen: set[str] = field(default_factory=set[str])
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    def app(self) -> Starlette:
        """As a server."""
        return Starlette(routes=[Route(WEBHOOKS, self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body, guid = await request.body(), request.headers.get(_GUID, "")
        if self.closed:
            return PlainTextResponse("nobody is told\n", status_code=202)
        if (comment := _comment_of(request.headers.get("X-GitHub-Event", ""), body)) is not None:
            self.comments.setdefault(comment, set()).add(guid)
        carried = {name: value for name, value in request.headers.items() if name.startswith(_CARRIED)}
        mishap = self._mishap(guid)
        self.met[mishap] += 1
        if mishap is Mishap.LOST:
            return PlainTextResponse("lost\n", status_code=_NOT_TAKEN)
        if mishap is Mishap.LATE:
            await asyncio.sleep(LATE)
        told = [self._pass_on(body, carried) for _ in range(2 if mishap is Mishap.TWICE else 1)]
        *_, answer = await asyncio.gather(*told)
        lost = mishap is Mishap.ANSWER_LOST or answer.status == 0
        return PlainTextResponse("", status_code=_NOT_TAKEN if lost else answer.status)

    def _mishap(self, guid: str) -> Mishap:
        """Only the first attempt meets with one: what is sent again shall arrive."""
        if not self.bad or guid in self._seen:
            return Mishap.NONE
        self._seen.add(guid)
        return MISHAPS[next(self._turn) % len(MISHAPS)]

    async def _pass_on(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        answer = await self.balancer.pass_on(body, headers)
        self.answers.append(answer)
        return answer


def _comment_of(event: str, body: bytes) -> int | None:
    """The comment that a person made just now, where that is what is told."""
    if event != "issue_comment":
        return None
    told = json.loads(body)
    made = told["action"] == "created" and told["sender"]["type"] != "Bot"
    return int(told["comment"]["id"]) if made else None


@contextlib.asynccontextmanager
async def listening(gateways: Sequence[str], listen: str) -> AsyncGenerator[Line]:
    """A line that GitHub's twin can send to, at `listen`."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncClient(verify=authorities(), timeout=GITHUB_WAITS, limits=limits) as hands:
        line = Line(Balancer(hands, gateways))
        serving = asyncio.create_task(serve(line.app(), bind(listen)))
        try:
            yield line
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
