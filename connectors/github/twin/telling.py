"""In front of the twin's paths: what a request changed is told to Apps. And what people do there, on demand.

`POST /_github/acts` is a person at GitHub, whom the twin has no forms for. `POST /_github/events` sends a payload as
it is.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.github.twin.acts import (
    ACT,
    Act,
    Acts,
    Archives,
    Moved,
    NoSuchThing,
    Presses,
    Renames,
    Transfers,
    among,
)
from connectors.github.twin.apps import TwinApp
from connectors.github.twin.bodies import Json
from connectors.github.twin.contents import Place
from connectors.github.twin.happenings import Happenings
from connectors.github.twin.hooks import Hooks, Told
from connectors.github.twin.moving import Moves
from connectors.github.twin.problems import Problem
from connectors.github.twin.pulls import check_run, person
from connectors.github.twin.writes import Kept

_CHANGE: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_OF_ONE: Final = re.compile(r"/(?:repos/)?(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git/git-receive-pack|/.*)")
_PREFIX: Final = "/_github/"


class Sends(BaseModel):
    """A payload as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: str
    owner: str
    payload: dict[str, object]


@dataclass
class Teller:
    """ASGI middleware.

    Attributes:
        hooks: Sends.
        happenings: Tells what is different.
        places: Every repository.
        app_of: The App whose token a request carries.
        acts: Carries out what people do.
        kept: What a repository has besides git.
        keep: Writes it down.
        rekeep: Has it go on under another address.
        moves: Which repositories went elsewhere.
    """

    app: ASGIApp
    hooks: Hooks
    happenings: Happenings
    places: Callable[[Request], list[Place]]
    app_of: Callable[[Request], TwinApp]
    acts: Acts
    kept: Callable[[Place], Kept]
    keep: Callable[[Place], None]
    rekeep: Callable[[Place, Place], None]
    moves: Moves
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
        async with self._turn(place):
            await self.happenings.look(place)
            try:
                await self.app(scope, receive, send)
            finally:
                await self._tell(place, person(place, f"{self.app_of(request).slug}[bot]"))

    def _changing(self, request: Request) -> Place | None:
        """The repository that a request may change."""
        found = _OF_ONE.fullmatch(request.url.path) if request.method in _CHANGE else None
        return self._place(request, f"{found['owner']}/{found['name']}") if found else None

    def _place(self, request: Request, repository: str) -> Place | None:
        wanted = repository.lower()
        there = self.places(request)
        return next((one for one in there if f"{one.page.owner}/{one.page.name}".lower() == wanted), None)

    def _turn(self, place: Place) -> asyncio.Lock:
        """One change after another: what somebody else changed meanwhile would be told as this one's doing."""
        return self._turns.setdefault(place.git.path, asyncio.Lock())

    async def _tell(self, place: Place, sender: Json) -> None:
        self.hooks.tell(await self.happenings.since(place, sender))

    async def _asked(self, request: Request) -> Response:
        try:
            match (request.method, request.url.path.removeprefix(_PREFIX)):
                case ("POST", "acts"):
                    return await self._act(request, ACT.validate_json(await request.body()))
                case ("POST", "events"):
                    sent = Sends.model_validate_json(await request.body())
                    self.hooks.tell([Told(event=sent.event, payload=sent.payload, owner=sent.owner)])
                    return JSONResponse({}, status_code=202)
                case _:
                    return _no(404, "there are /_github/acts and /_github/events")
        except ValidationError as error:
            return _no(422, str(error))
        except NoSuchThing as error:
            return _no(404, str(error))
        except Problem as error:
            return _no(error.status_code, error.detail)

    async def _act(self, request: Request, act: Act | Moved) -> Response:
        place = self._place(request, act.repository)
        if place is None:
            raise NoSuchThing(f"there is no repository {act.repository!r}")
        async with self._turn(place):
            return JSONResponse(await self._done(request, place, act), status_code=201)

    async def _done(self, request: Request, place: Place, act: Act | Moved) -> Json:
        await self.happenings.look(place)
        sender = person(place, act.person)
        if isinstance(act, Moved):
            self._moved(request, place, act, sender)
            return {}
        made = await self.acts.done(place, act)
        self.keep(place)
        if isinstance(act, Presses):
            self.hooks.tell([self._pressed(place, act, sender)])
        await self._tell(place, sender)
        return made

    def _moved(self, request: Request, place: Place, act: Moved, sender: Json) -> None:
        """The repository itself is changed; its event goes to whom it belongs then."""
        owner, name = place.page.owner, place.page.name
        told: Json
        match act:
            case Renames():
                told = {"action": "renamed", "changes": {"repository": {"name": {"from": name}}}}
                name = act.name
            case Transfers():
                told = {"action": "transferred", "changes": {"owner": {"from": _former_owner(place)}}}
                owner = act.to
            case Archives():
                told = {"action": "archived"}
                self.moves.archive(place.page.number)
        if (owner, name) != (place.page.owner, place.page.name):
            try:
                self.moves.move(place, owner=owner, name=name)
            except FileExistsError as error:
                raise NoSuchThing(f"there is a repository {error!s} already") from None
        now = self._place(request, f"{owner}/{name}")
        if now is None:
            raise NoSuchThing(f"there is no repository {act.repository!r}")
        self.rekeep(place, now)
        payload = {**told, "repository": self.happenings.repository(now), "sender": sender}
        self.hooks.tell([Told(event="repository", payload=payload, owner=owner, repository=now.page.number)])

    def _pressed(self, place: Place, act: Presses, sender: Json) -> Told:
        check = among({one.id: one for one in self.kept(place).checks}, act.check, "check run")
        told = {"check_run": check_run(place, check, self.happenings.app(place)), "sender": sender}
        how: Json = {"action": "rerequested"}
        if act.action is not None:
            how = {"action": "requested_action", "requested_action": {"identifier": act.action}}
        payload = {**how, **told, "repository": self.happenings.repository(place)}
        return Told(event="check_run", payload=payload, owner=place.page.owner, repository=place.page.number)


def _former_owner(place: Place) -> Json:
    return {"user": {**place.page.site.account(place.page.owner), "type": "User"}}


def _no(status: int, why: str) -> Response:
    return JSONResponse({"message": why}, status_code=status)
