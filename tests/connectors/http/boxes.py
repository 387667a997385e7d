"""A provider that is none, answered by a function: what the base of all clients makes of each answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from connectors.errors import QuotaExhausted, Unavailable
from connectors.http import NOTHING, Dialect, HeaderAuth, Operation, Problem, Session, member
from connectors.limits import Allowance, Turns
from connectors.provider import Provider, Secret

BASE: Final = "https://boxes.example.com/v1"
KEY_CANARY: Final = "boxes-key-canary-5d21"


class Box(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str


class NewBox(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    colour: str | None = None


class Boxes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    boxes: tuple[Box, ...]
    cursor: str = ""


GET_BOX: Final = Operation("GET", "/boxes/{id}", TypeAdapter(Box))
LIST_BOXES: Final = Operation("GET", "/boxes", TypeAdapter(Boxes))
CREATE_BOX: Final = Operation("POST", "/boxes", TypeAdapter(Box), body=NewBox, status=201)
SEARCH: Final = Operation("POST", "/search", TypeAdapter(Boxes), body=NewBox, harmless=True)
DELETE_BOX: Final = Operation("DELETE", "/boxes/{id}", NOTHING, status=204)


def problem(body: JsonValue) -> Problem:
    error = member(body, "error")
    return Problem(str(member(error, "code") or ""), str(member(error, "message") or ""))


DIALECT: Final = Dialect(
    provider=Provider(name="boxes", title="Boxes", url=BASE),
    secret=Secret(path="boxes/key", holds="the API key"),
    problem=problem,
    meanings={"provider/*": Unavailable, "quota": QuotaExhausted, 507: QuotaExhausted},
)


@dataclass
class Asked:
    """A session whose requests a function answers, and those requests."""

    answer: Callable[[httpx.Request], httpx.Response]
    turns: Turns = field(default_factory=Allowance)
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])

    def session(self) -> Session:
        auth = HeaderAuth({"X-Key": KEY_CANARY})
        http = httpx.AsyncClient(base_url=BASE, auth=auth, transport=httpx.MockTransport(self._asked))
        return Session(http, DIALECT, self.turns)

    def _asked(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


def answering(status: int, body: object = None, **headers: str) -> Asked:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Asked(lambda _: httpx.Response(status, json=body, headers=given))


def silent(error: Exception) -> Asked:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return Asked(fail)
