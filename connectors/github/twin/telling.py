"""In front of the twin's paths: what a request changed is told to Apps. And what people do there, on demand.

`POST /_github/acts` is a person at GitHub, whom the twin has no pages for: they comment, label, close, press the button
of a check run. `POST /_github/events` sends a payload as it is.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.github.bare import iso
from connectors.github.twin.apps import TwinApp
from connectors.github.twin.bodies import Json, number
from connectors.github.twin.contents import Place
from connectors.github.twin.happenings import Happenings
from connectors.github.twin.hooks import Hooks, Told
from connectors.github.twin.people import person
from connectors.github.twin.pulls import Comment, check_run
from connectors.github.twin.writes import Kept

_CHANGE: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_OF_ONE: Final = re.compile(r"/(?:repos/)?(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git/git-receive-pack|/.*)")
_PREFIX: Final = "/_github/"


class _Act(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    person: str


class Says(_Act):
    """They comment on a pull request."""

    act: Literal["comment"]
    number: int
    body: str


class Edits(_Act):
    """They change a comment of theirs."""

    act: Literal["edit"]
    comment: int
    body: str


class Labels(_Act):
    """They put a label on a pull request."""

    act: Literal["label"]
    number: int
    label: str


class Closes(_Act):
    """They close a pull request."""

    act: Literal["close"]
    number: int


class Presses(_Act):
    """They press a button of a check run; without one, *Re-run*."""

    act: Literal["press"]
    check: int
    action: str | None = None


class Sends(BaseModel):
    """A payload as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: str
    owner: str
    payload: dict[str, object]


_ACT: Final[TypeAdapter[Says | Edits | Labels | Closes | Presses]] = TypeAdapter(
    Annotated[Says | Edits | Labels | Closes | Presses, Field(discriminator="act")]
)


_T = TypeVar("_T")


class _NoSuchThing(Exception):
    """What somebody would act on is not there."""


@dataclass
class Teller:
    """ASGI middleware.

    Attributes:
        hooks: Sends.
        happenings: Tells what is different.
        places: Every repository.
        app_of: The App whose token a request carries.
        kept: What a repository has besides git.
        keep: Writes it down.
        clock: Seconds since the epoch.
    """

    app: ASGIApp
    hooks: Hooks
    happenings: Happenings
    places: Callable[[Request], list[Place]]
    app_of: Callable[[Request], TwinApp]
    kept: Callable[[Place], Kept]
    keep: Callable[[Place], None]
    clock: Callable[[], float]
    _turns: dict[Path, asyncio.Lock] = field(default_factory=dict[Path, asyncio.Lock])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and tell of what it changed."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        if scope["path"].startswith(_PREFIX):
            return await (await self._asked(request))(scope, receive, send)
        place = self._changing(request) if self.hooks.listened_to else None
        if place is None:
            return await self.app(scope, receive, send)
        await self._looked(place)
        try:
            await self.app(scope, receive, send)
        finally:
            await self._told(place, person(place, f"{self.app_of(request).slug}[bot]"))

    def _changing(self, request: Request) -> Place | None:
        """The repository that a request may change."""
        found = _OF_ONE.fullmatch(request.url.path) if request.method in _CHANGE else None
        return self._place(request, f"{found['owner']}/{found['name']}") if found else None

    def _place(self, request: Request, repository: str) -> Place | None:
        wanted = repository.lower()
        there = self.places(request)
        return next((one for one in there if f"{one.page.owner}/{one.page.name}".lower() == wanted), None)

    async def _looked(self, place: Place) -> None:
        async with self._turns.setdefault(place.git.path, asyncio.Lock()):
            await self.happenings.look(place)

    async def _told(self, place: Place, sender: Json) -> None:
        async with self._turns.setdefault(place.git.path, asyncio.Lock()):
            self.hooks.tell(await self.happenings.since(place, sender))

    async def _asked(self, request: Request) -> Response:
        try:
            match (request.method, request.url.path.removeprefix(_PREFIX)):
                case ("POST", "acts"):
                    return await self._act(request, _ACT.validate_json(await request.body()))
                case ("POST", "events"):
                    sent = Sends.model_validate_json(await request.body())
                    self.hooks.tell([Told(event=sent.event, payload=sent.payload, owner=sent.owner)])
                    return JSONResponse({}, status_code=202)
                case _:
                    return _no(404, "there are /_github/acts and /_github/events")
        except ValidationError as error:
            return _no(422, str(error))
        except _NoSuchThing as error:
            return _no(404, str(error))

    async def _act(self, request: Request, act: Says | Edits | Labels | Closes | Presses) -> Response:
        place = self._place(request, act.repository)
        if place is None:
            raise _NoSuchThing(f"there is no repository {act.repository!r}")
        await self._looked(place)
        sender, made = person(place, act.person), self._done(place, act)
        self.keep(place)
        if isinstance(act, Presses):
            self.hooks.tell([self._pressed(place, act, sender)])
        await self._told(place, sender)
        return JSONResponse(made, status_code=201)

    def _done(self, place: Place, act: Says | Edits | Labels | Closes | Presses) -> Json:
        """What becomes of it."""
        kept, now = self.kept(place), iso(self.clock())
        match act:
            case Says():
                on = _among({one.number: one for one in kept.pulls}, act.number, "pull request").number
                named = number(place.page.url, str(len(kept.comments)))
                said = Comment(id=named, on=on, body=act.body, at=now, person=act.person, changed=now)
                kept.comments.append(said)
                return {"id": said.id}
            case Edits():
                found = _among({one.id: one for one in kept.comments}, act.comment, "comment")
                found.body, found.changed = act.body, now
            case Labels():
                pull = _among({one.number: one for one in kept.pulls}, act.number, "pull request")
                pull.labels = list(dict.fromkeys([*pull.labels, act.label]))
            case Closes():
                pull = _among({one.number: one for one in kept.pulls}, act.number, "pull request")
                pull.state, pull.ended_at = "closed", now
            case Presses():
                _among({one.id: one for one in kept.checks}, act.check, "check run")
        return {}

    def _pressed(self, place: Place, act: Presses, sender: Json) -> Told:
        check = _among({one.id: one for one in self.kept(place).checks}, act.check, "check run")
        told = {"check_run": check_run(place, check, self.happenings.app(place)), "sender": sender}
        how: Json = {"action": "rerequested"}
        if act.action is not None:
            how = {"action": "requested_action", "requested_action": {"identifier": act.action}}
        payload = {**how, **told, "repository": self.happenings.repository(place)}
        return Told(event="check_run", payload=payload, owner=place.page.owner, repository=place.page.number)


def _among(there: Mapping[int, _T], wanted: int, what: str) -> _T:
    if wanted not in there:
        raise _NoSuchThing(f"there is no {what} {wanted}")
    return there[wanted]


def _no(status: int, why: str) -> Response:
    return JSONResponse({"message": why}, status_code=status)
