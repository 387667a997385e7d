"""A twin of a provider that is none: everything that the base gives, used once."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.http import NOTHING, Dialect, Operation, Problem, member
from connectors.provider import Provider, Secret
from connectors.twins import app, problems
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import Reply, handles

KEY_CANARY: Final = "boxes-key-canary-5d21"
PROVIDER: Final = Provider(name="boxes", title="Boxes", url="https://boxes.example.com")


class Box(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    label: str
    state: str = "building"


class NewBox(BaseModel):
    model_config = ConfigDict(frozen=True)

    label: str = Field(min_length=1, max_length=40)
    size: int | None = Field(default=None, ge=1)


class Boxes(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    boxes: tuple[Box, ...]
    next: str = ""


GET_BOX: Final = Operation("GET", "/boxes/{box}", TypeAdapter(Box))
LARGEST: Final = Operation("GET", "/boxes/largest", TypeAdapter(Box))
LIST_BOXES: Final = Operation("GET", "/boxes", TypeAdapter(Boxes))
CREATE_BOX: Final = Operation("POST", "/boxes", TypeAdapter(Box), body=NewBox, status=201)
DELETE_BOX: Final = Operation("DELETE", "/boxes/{box}", NOTHING, status=204)
BROKEN: Final = Operation("GET", "/broken", TypeAdapter(Box))
WHO: Final = Operation("GET", "/who", TypeAdapter(dict[str, str]))


def read_problem(body: JsonValue) -> Problem:
    error = member(body, "error")
    return Problem(str(member(error, "code") or ""), str(member(error, "message") or ""))


DIALECT: Final = Dialect(
    provider=PROVIDER, secret=Secret(path="boxes/key", holds="the API key"), problem=read_problem, timeout=2.0
)


class TwinBox(BaseModel):
    """A box as the twin keeps it."""

    id: str
    label: str
    size: int | None = None
    state: str = "building"


class _Page(BaseModel):
    label: list[str] | str = ""
    after: int = Field(default=0, ge=0)
    limit: int = Field(default=2, ge=1)


class BoxesTwin(app.Twin):
    """Boxes take a minute to build, and show in the list a while after they were made."""

    malformed = 422

    def __init__(self, *, clock: TwinClock | None = None, rates: app.Rates | None = None) -> None:
        super().__init__(clock=clock, rates=rates or {})
        self.kept: dict[str, TwinBox] = {}
        self.shows_after = 0.0
        self._shown: set[str] = set()

    def authorise(self, request: Request) -> str:
        if not problems.carries(request, "authorization", problems.bearer(KEY_CANARY)):
            raise problems.Problem(401, "no such key", code="key")
        return request.headers["user-agent"]

    def problem(self, problem: problems.Problem) -> JsonValue:
        return {"error": {"code": problem.code, "message": problem.message}}

    @handles(LIST_BOXES)
    def listed(self, query: _Page) -> dict[str, Any]:
        there = [one for one in self.kept.values() if one.id in self._shown]
        found = [one for one in there if query.label in {"", one.label}]
        until = query.after + query.limit
        return {"boxes": found[query.after : until], "next": str(until) if until < len(found) else ""}

    @handles(LARGEST)
    async def largest(self) -> TwinBox:
        if not self.kept:
            raise problems.Problem(404, "no boxes", code="boxes/none")
        return max(self.kept.values(), key=lambda one: one.size or 0)

    @handles(GET_BOX)
    def box(self, box: str) -> TwinBox:
        return self._there(box)

    @handles(CREATE_BOX)
    def create(self, body: NewBox) -> TwinBox:
        made = TwinBox(id=f"box-{len(self.kept) + 1}", label=body.label, size=body.size)
        self.kept[made.id] = made
        self.clock.after(60, lambda: setattr(made, "state", "ready"))
        self.clock.after(self.shows_after, lambda: self._shown.add(made.id))
        return made

    @handles(DELETE_BOX)
    def delete(self, box: str) -> Reply[None]:
        del self.kept[self._there(box).id]
        return Reply(content=None, headers={"x-gone": box})

    @handles(BROKEN)
    def broken(self) -> dict[str, int]:
        return {"id": 5}

    @handles(WHO)
    def who(self, caller: str, request: Request) -> dict[str, str]:
        return {"caller": caller, "path": request.url.path}

    def _there(self, box: str) -> TwinBox:
        if box not in self.kept:
            raise problems.Problem(404, f"no box {box}", code="boxes/none")
        return self.kept[box]


def create_twin(*, clock: TwinClock | None = None, rates: app.Rates | None = None) -> Starlette:
    return BoxesTwin(clock=clock, rates=rates).application()
