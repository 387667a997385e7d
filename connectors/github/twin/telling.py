"""In front of the twin's paths: what a request changed is told to Apps. And what people do there, on demand.

`POST /_github/acts` is a person at GitHub, whom the twin has no pages for: they open an issue, comment, label, close,
press the button of a check run, rename a repository. `POST /_github/events` sends a payload as it is.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.github.bare import iso
from connectors.github.twin.acts import (
    ACT,
    Archives,
    Closes,
    Drops,
    Edits,
    Labels,
    Moved,
    Opens,
    Presses,
    Renames,
    Said,
    Says,
    Sends,
    Transfers,
)
from connectors.github.twin.apps import TwinApp
from connectors.github.twin.bodies import Json, number
from connectors.github.twin.contents import Place
from connectors.github.twin.happenings import Happenings
from connectors.github.twin.hooks import Hooks, Told
from connectors.github.twin.moving import Moves
from connectors.github.twin.people import person
from connectors.github.twin.pulls import Comment, Pull, check_run
from connectors.github.twin.writes import Kept, KeptIssue

_CHANGE: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_OF_ONE: Final = re.compile(r"/(?:repos/)?(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git/git-receive-pack|/.*)")
_PREFIX: Final = "/_github/"


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
        rekeep: Has it go on under another address.
        moves: Which repositories went elsewhere.
        clock: Seconds since the epoch.
    """

    app: ASGIApp
    hooks: Hooks
    happenings: Happenings
    places: Callable[[Request], list[Place]]
    app_of: Callable[[Request], TwinApp]
    kept: Callable[[Place], Kept]
    keep: Callable[[Place], None]
    rekeep: Callable[[Place, Place], None]
    moves: Moves
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
                    return await self._act(request, ACT.validate_json(await request.body()))
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

    async def _act(self, request: Request, act: Said | Moved) -> Response:
        place = self._place(request, act.repository)
        if place is None:
            raise _NoSuchThing(f"there is no repository {act.repository!r}")
        await self._looked(place)
        sender = person(place, act.person)
        if isinstance(act, Moved):
            self._moved(request, place, act, sender)
            return JSONResponse({}, status_code=201)
        made = self._done(place, act)
        self.keep(place)
        if isinstance(act, Presses):
            self.hooks.tell([self._pressed(place, act, sender)])
        await self._told(place, sender)
        return JSONResponse(made, status_code=201)

    def _done(self, place: Place, act: Said) -> Json:
        """What becomes of it."""
        kept, now = self.kept(place), iso(self.clock())
        match act:
            case Opens():
                named = kept.next_number()
                kept.issues.append(KeptIssue(number=named, title=act.title, body=act.body, at=now, writer=act.person))
                return {"number": named}
            case Says():
                on = _on(kept, act.number).number
                named = number(place.page.url, str(len(kept.comments)))
                said = Comment(id=named, on=on, body=act.body, at=now, person=act.person, changed=now)
                kept.comments.append(said)
                return {"id": said.id}
            case Edits():
                found = _among({one.id: one for one in kept.comments}, act.comment, "comment")
                found.body, found.changed = act.body, now
            case Labels():
                on = _on(kept, act.number)
                on.labels = list(dict.fromkeys([*on.labels, act.label]))
            case Closes():
                on = _on(kept, act.number)
                on.state = "closed"
                if isinstance(on, Pull):
                    on.ended_at = now
            case Presses() | Drops():
                check = _among({one.id: one for one in kept.checks}, act.check, "check run")
                if isinstance(act, Drops):
                    kept.checks.remove(check)
        return {}

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
                raise _NoSuchThing(f"there is a repository {error!s} already") from None
        now = self._place(request, f"{owner}/{name}")
        if now is None:
            raise _NoSuchThing(f"there is no repository {act.repository!r}")
        self.rekeep(place, now)
        payload = {**told, "repository": self.happenings.repository(now), "sender": sender}
        self.hooks.tell([Told(event="repository", payload=payload, owner=owner, repository=now.page.number)])

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


def _former_owner(place: Place) -> Json:
    return {"user": {**place.page.site.account(place.page.owner), "type": "User"}}


def _on(kept: Kept, wanted: int) -> Pull | KeptIssue:
    """What people comment on and label: an issue or a pull request."""
    there: dict[int, Pull | KeptIssue] = {one.number: one for one in (*kept.issues, *kept.pulls)}
    return _among(there, wanted, "issue or pull request")


def _no(status: int, why: str) -> Response:
    return JSONResponse({"message": why}, status_code=status)
