"""The page: channels, messages, threads and modals, rendered here; a click is a form, so that it works without scripts.

Whoever opens it acts as any person of the workspace: it is for rehearsal, and listens on loopback.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.slack.twin.blocks import Button
from connectors.slack.twin.config import Channel, Person, TwinConfig
from connectors.slack.twin.control import base_url
from connectors.slack.twin.mrkdwn import markdown, mrkdwn, plain
from connectors.slack.twin.people import Clicked, People
from connectors.slack.twin.problems import NotPossible
from connectors.slack.twin.workspace import Message, Notice, Workspace

_HERE: Final = Path(__file__).parent
_STATIC: Final = {"slack.css": "text/css", "slack.js": "text/javascript", "mark.svg": "image/svg+xml"}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PARTS: Final = ("sidebar", "messages", "thread", "modal")
_COLOURS: Final = 6
_MOST_SHOWN: Final = 200
"""Messages of a channel; the page shows the newest."""


_Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class _Seat:
    """Who looks at what."""

    person: Person
    channel: Channel
    thread: str

    def query(self, **more: str) -> str:
        """The query that leads back here; empty values are left out."""
        named = {"as": self.person.id, "thread": self.thread, **more}
        return urlencode({name: value for name, value in named.items() if value})

    def url(self, **more: str) -> str:
        return f"/client/{self.channel.id}?{self.query(**more)}"


@dataclass(frozen=True)
class _Asked:
    """A button that wants to be confirmed."""

    clicked: Clicked
    button: Button


@dataclass
class Page:
    """The routes of the page."""

    people: People

    def __post_init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        names = _names(self._config)
        filters: dict[str, Callable[..., object]] = {
            "mrkdwn": partial(mrkdwn, names=names),
            "plain": plain,
            "markdown": markdown,
            "moment": _moment,
            "initials": _initials,
            "colour": _colour,
            "anchor": _anchor,
        }
        self._environment.filters.update(filters)

    @property
    def _workspace(self) -> Workspace:
        return self.people.workspace

    @property
    def _config(self) -> TwinConfig:
        return self.people.workspace.config

    def routes(self) -> list[Route]:
        """All of them."""
        post = ["POST"]
        return [
            Route("/", self._home),
            Route("/client/{channel}", self._show),
            Route("/live/{channel}", self._live),
            Route("/client/{channel}/click", self._acting(self._click), methods=post),
            Route("/client/{channel}/say", self._acting(self._say), methods=post),
            Route("/client/{channel}/submit", self._acting(self._submit), methods=post),
            Route("/client/{channel}/close", self._acting(self._close), methods=post),
            Route("/archives/{channel}/{link}", self._permalink),
            Route("/static/{name}", self._static),
        ]

    # Looking.

    async def _home(self, request: Request) -> Response:
        del request
        person = next(one for one in self._config.people if not one.deactivated)
        channel = next((one for one in self._config.channels if one.admits(person.id)), self._config.channels[0])
        return RedirectResponse(_Seat(person, channel, "").url(), status_code=303)

    async def _show(self, request: Request) -> Response:
        try:
            seat = self._seat(request, request.query_params)
            asked = self._asked(seat, request.query_params)
        except NotPossible as error:
            return self._render("lost.html", {"message": str(error)}, status=404)
        return self._render("workspace.html", self._values(seat) | {"asked": asked})

    async def _live(self, request: Request) -> Response:
        """What has changed, as the parts of the page; 304 when nothing has."""
        tag = f'"{self._workspace.version}-{len(self.people.deliveries.sockets.connections)}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        try:
            values = self._values(self._seat(request, request.query_params))
        except NotPossible as error:
            return JSONResponse({"message": str(error)}, status_code=404)
        parts = {name: self._environment.get_template(f"{name}.html").render(values) for name in _PARTS}
        return JSONResponse(parts, headers={**_HEADERS, "ETag": tag})

    def _seat(self, request: Request, given: Mapping[str, str]) -> _Seat:
        person = self.people.person(given.get("as", self._config.people[0].id))
        channel = self.people.channel(str(request.path_params["channel"]), person)
        return _Seat(person, channel, given.get("thread", ""))

    def _asked(self, seat: _Seat, given: Mapping[str, str]) -> _Asked | None:
        if "confirm" not in given:
            return None
        clicked = _clicked(seat, given)
        return _Asked(clicked, self.people.button(seat.person.id, clicked)[2])

    def _values(self, seat: _Seat) -> dict[str, object]:
        user, workspace = seat.person.id, self._workspace
        shown = workspace.shown(seat.channel.id, user)
        parent = next((one for one in shown if one.ts == seat.thread), None)
        return {
            "config": self._config,
            "seat": seat,
            "messages": [one for one in shown if not one.is_reply][-_MOST_SHOWN:],
            "replies": workspace.replies,
            "thread": [parent, *(one for one in shown if one.is_reply and one.thread_ts == parent.ts)]
            if parent
            else [],
            "notices": workspace.notices(user, seat.channel.id),
            "opened": self.people.views.top(user),
            "author": self._author,
            "connections": len(self.people.deliveries.sockets.connections),
            "waiting": {one.id: _waiting(workspace.shown(one.id, user)) for one in self._config.channels},
        }

    def _author(self, message: Message) -> Person | None:
        """None for the app."""
        return None if message.by_app else self._config.person(message.user)

    def _render(self, name: str, values: Mapping[str, object], *, status: int = 200) -> Response:
        return HTMLResponse(self._environment.get_template(name).render(values), status_code=status, headers=_HEADERS)

    async def _permalink(self, request: Request) -> Response:
        """From the link of a message to the message."""
        digits = str(request.path_params["link"]).removeprefix("p")
        ts = f"{digits[:-6]}.{digits[-6:]}"
        message = self._workspace.find(str(request.path_params["channel"]), ts)
        if message is None:
            return self._render("lost.html", {"message": "there is no such message here (any more)"}, status=404)
        thread = f"?{urlencode({'thread': message.thread_ts})}" if message.is_reply else ""
        return RedirectResponse(f"/client/{message.channel}{thread}#{_anchor(ts)}", status_code=303)

    async def _static(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        if name not in _STATIC:
            return self._render("lost.html", {"message": f"there is no file {name!r}"}, status=404)
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
        return FileResponse(_HERE / "static" / name, media_type=_STATIC[name], headers=headers)

    # Acting.

    def _acting(self, act: Callable[[_Seat, Mapping[str, str], Request], Awaitable[str]]) -> _Handler:
        async def answer(request: Request) -> Response:
            if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
                return self._render("lost.html", {"message": "this form came from another site"}, status=403)
            given = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
            try:
                seat = self._seat(request, given)
            except NotPossible as error:
                return self._render("lost.html", {"message": str(error)}, status=404)
            try:
                return RedirectResponse(await act(seat, given, request), status_code=303)
            except NotPossible as error:
                self._workspace.notify(Notice(seat.person.id, seat.channel.id, str(error), None))
                return RedirectResponse(seat.url(), status_code=303)

        return answer

    async def _click(self, seat: _Seat, given: Mapping[str, str], request: Request) -> str:
        clicked = _clicked(seat, given)
        _, block_id, button = self.people.button(seat.person.id, clicked)
        anchor = f"#{_anchor(clicked.ts)}"
        if button.confirm is not None and "confirmed" not in given:
            asks = {"confirm": "1", "ts": clicked.ts, "block": block_id, "action": button.action_id}
            return seat.url(**asks) + anchor
        await self.people.click(seat.person.id, clicked, base_url=base_url(request))
        return seat.url() + anchor

    async def _say(self, seat: _Seat, given: Mapping[str, str], request: Request) -> str:
        text, user = given.get("text", ""), seat.person.id
        if text.lstrip().startswith("/"):
            await self.people.command(user, seat.channel.id, line=text, base_url=base_url(request))
        else:
            self.people.say(user, seat.channel.id, text=text, thread_ts=given.get("reply_to"))
        return seat.url()

    async def _submit(self, seat: _Seat, given: Mapping[str, str], request: Request) -> str:
        del request
        typed = {
            name.removeprefix("v:"): said.replace("\r\n", "\n") for name, said in given.items() if name[:2] == "v:"
        }
        await self.people.submit(seat.person.id, typed, view_id=given.get("view"))
        return seat.url()

    async def _close(self, seat: _Seat, given: Mapping[str, str], request: Request) -> str:
        del request
        await self.people.close(seat.person.id, view_id=given.get("view"))
        return seat.url()


def _clicked(seat: _Seat, given: Mapping[str, str]) -> Clicked:
    return Clicked(seat.channel.id, given.get("ts", ""), given.get("action", ""), given.get("block"))


def _waiting(messages: list[Message]) -> int:
    """How many messages of a channel have buttons that wait for somebody."""
    return sum(1 for one in messages if one.buttons())


def _names(config: TwinConfig) -> dict[str, str]:
    people = {one.id: one.real_name for one in config.people}
    return people | {one.id: one.name for one in config.channels} | {config.app.user: config.app.name}


def _moment(ts: str) -> datetime:
    return datetime.fromtimestamp(float(ts), UTC)


def _anchor(ts: str) -> str:
    return f"m-{ts.replace('.', '-')}"


def _initials(person: Person) -> str:
    return "".join(word[0] for word in person.real_name.split()[:2]).upper()


def _colour(person: Person) -> int:
    """One of the avatars' colours, the same in every process."""
    return hashlib.sha256(person.id.encode()).digest()[0] % _COLOURS
