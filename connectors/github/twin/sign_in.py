"""A person signs in to an App's page by GitHub: the page that asks, a code for one use, and a token in their name.

As GitHub has it: the address to go back to must be one that the App has registered, to the letter; a code is good once,
for ten minutes, and with the verifier of the challenge that it was asked for with. Like all pages of the twin the one
that asks wants no password, and is refused under another host name: whoever is at this machine says who they are.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.github.twin.apps import Apps, TwinApp
from connectors.github.twin.bodies import Json, Site, node_id, number
from connectors.github.twin.pages import page, require_loopback
from connectors.github.twin.problems import NOT_FOUND, Problem

_AUTHORIZE: Final = "/login/oauth/authorize"
_CODE_S: Final = 600.0
_TOKEN_S: Final = 8 * 3600
_REFRESH_S: Final = 15_897_600
_BAD_CODE: Final = "The code passed is incorrect or expired."
_BAD_CLIENT: Final = "The client_id and/or client_secret passed are incorrect."
_OTHER_PLACE: Final = "The redirect_uri is not associated with this application."


@dataclass(frozen=True)
class _Code:
    """What a code was given for."""

    app: TwinApp
    login: str
    redirect_uri: str
    challenge: str
    until: float


@dataclass(frozen=True)
class _UserToken:
    """What a token may see: what this person may."""

    app: TwinApp
    login: str
    until: float


class _GivenBack(BaseModel):
    access_token: str


@dataclass
class SignIns:
    """The routes.

    Args:
        apps: All Apps.
        accounts: The number of each person's account, by login.
        members: Who is in an organisation, `acme`, or in a team of it, `acme/platform`.
        clock: Seconds since the epoch.
    """

    apps: Apps
    accounts: Mapping[str, int]
    members: Mapping[str, frozenset[str]]
    clock: Callable[[], float]
    _codes: dict[str, _Code] = field(default_factory=dict[str, _Code])
    _tokens: dict[str, _UserToken] = field(default_factory=dict[str, _UserToken])

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route(_AUTHORIZE, self._ask, methods=["GET"]),
            Route(_AUTHORIZE, self._say, methods=["POST"]),
            Route("/login/oauth/access_token", self._exchange, methods=["POST"]),
            Route("/applications/{client}/token", self._forget, methods=["DELETE"]),
            Route("/user", self._user),
            Route("/user/memberships/orgs/{organisation}", self._in_organisation),
            Route("/orgs/{organisation}/teams/{team}/memberships/{login}", self._in_team),
        ]

    @property
    def live(self) -> int:
        """How many tokens are neither given back nor too old."""
        return sum(one.until > self.clock() for one in self._tokens.values())

    # The person, in a browser.

    async def _ask(self, request: Request) -> Response:
        require_loopback(request)
        asked = dict(request.query_params)
        app = self._asking(asked)
        if (wrong := _wrong(app, asked)) is not None:
            return wrong
        back = urlsplit(asked["redirect_uri"])
        # A browser holds what a form's answer redirects to against this, too.
        forms = f"'self' {back.scheme}://{back.netloc}"
        return page("authorize.html", app=app, asked=asked, people=sorted(self.accounts), forms=forms)

    async def _say(self, request: Request) -> Response:
        require_loopback(request)
        form = await _form(request)
        app = self._asking(form)
        if (wrong := _wrong(app, form)) is not None:
            return wrong
        login, said = form.get("login", ""), {"state": form["state"]} if form.get("state") else {}
        if login not in self.accounts:
            told = {"error": "access_denied", "error_description": "The user has denied your application access."}
            return _back(form["redirect_uri"], told | said)
        code = secrets.token_hex(10)
        self._codes[code] = _Code(
            app, login, form["redirect_uri"], form.get("code_challenge", ""), self.clock() + _CODE_S
        )
        return _back(form["redirect_uri"], {"code": code} | said)

    # The App.

    async def _exchange(self, request: Request) -> Response:
        form = await _form(request)
        app = self._app(form.get("client_id", ""))
        if not _is_secret_of(app, form.get("client_secret", "")):
            return _refused("incorrect_client_credentials", _BAD_CLIENT)
        found = self._codes.pop(form.get("code", ""), None)
        if found is None or found.app is not app or found.until <= self.clock() or not _verifies(found, form):
            return _refused("bad_verification_code", _BAD_CODE)
        if form.get("redirect_uri", found.redirect_uri) != found.redirect_uri:
            return _refused("redirect_uri_mismatch", _OTHER_PLACE)
        token = f"ghu_{secrets.token_hex(18)}"
        self._tokens[token] = _UserToken(found.app, found.login, self.clock() + _TOKEN_S)
        given: Json = {
            "access_token": token,
            "expires_in": _TOKEN_S,
            "refresh_token": f"ghr_{secrets.token_hex(38)}",
            "refresh_token_expires_in": _REFRESH_S,
            "token_type": "bearer",
            "scope": "",
        }
        return JSONResponse(given)

    async def _forget(self, request: Request) -> Response:
        app = self._app(str(request.path_params["client"]))
        if app is None or not _is_secret_of(app, _basic(request).get(app.client_id, "")):
            raise Problem(HTTPStatus.NOT_FOUND, NOT_FOUND)
        try:
            given = _GivenBack.model_validate_json(await request.body())
        except ValidationError:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation Failed") from None
        held = self._tokens.get(given.access_token)
        if held is None or held.app is not app:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Validation Failed")
        del self._tokens[given.access_token]
        return Response(status_code=HTTPStatus.NO_CONTENT)

    # In the person's name.

    async def _user(self, request: Request) -> Response:
        return JSONResponse(self._told(request, self._whose(request).login))

    async def _in_organisation(self, request: Request) -> Response:
        login, organisation = self._whose(request).login, str(request.path_params["organisation"])
        self._require_in(organisation, login)
        site = _site(request)
        told: Json = {
            "url": f"{site.root}/orgs/{organisation}/memberships/{login}",
            "state": "active",
            "role": "member",
            "organization_url": f"{site.root}/orgs/{organisation}",
            "organization": site.account(organisation),
            "user": self._told(request, login),
        }
        return JSONResponse(told)

    async def _in_team(self, request: Request) -> Response:
        self._whose(request)
        organisation, team = str(request.path_params["organisation"]), str(request.path_params["team"])
        login = str(request.path_params["login"])
        self._require_in(f"{organisation}/{team}", login)
        url = f"{_site(request).root}/orgs/{organisation}/teams/{team}/memberships/{login}"
        return JSONResponse({"url": url, "state": "active", "role": "member"})

    def _require_in(self, where: str, login: str) -> None:
        there = {name.lower(): logins for name, logins in self.members.items()}.get(where.lower(), frozenset())
        if login.lower() not in {one.lower() for one in there}:
            raise Problem(HTTPStatus.NOT_FOUND, NOT_FOUND)

    def _whose(self, request: Request) -> _UserToken:
        found = self._tokens.get(request.headers.get("authorization", "").partition(" ")[2])
        if found is None or found.until <= self.clock():
            raise Problem(HTTPStatus.UNAUTHORIZED, "Bad credentials")
        return found

    def _told(self, request: Request, login: str) -> Json:
        own: Json = {"type": "User", "id": self.accounts[login], "node_id": node_id("User", login)}
        return {**_site(request).account(login), **own, "name": None, "email": None}

    def _asking(self, asked: Mapping[str, str]) -> TwinApp:
        app = self._app(asked.get("client_id", ""))
        if app is None:
            raise Problem(HTTPStatus.NOT_FOUND, NOT_FOUND)
        return app

    def _app(self, client_id: str) -> TwinApp | None:
        return next((one for one in self.apps.all if one.client_id == client_id), None)


def accounts_of(logins: set[str], renamed: Mapping[str, int]) -> dict[str, int]:
    """The account of each login: its own number, but for one that has changed hands."""
    return {login: number(login) for login in logins} | dict(renamed)


def _wrong(app: TwinApp, asked: Mapping[str, str]) -> Response | None:
    """What GitHub shows instead, and sends nobody anywhere; None where nothing is wrong."""
    if asked.get("redirect_uri", "") not in app.callbacks:
        return page("app_refused.html", status=HTTPStatus.BAD_REQUEST, problems=[_OTHER_PLACE])
    if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
        return page("app_refused.html", status=HTTPStatus.BAD_REQUEST, problems=["code_challenge_method must be S256."])
    return None


def _verifies(found: _Code, form: Mapping[str, str]) -> bool:
    if not found.challenge:
        return True
    made = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(made).rstrip(b"=").decode(), found.challenge)


def _is_secret_of(app: TwinApp | None, secret: str) -> bool:
    return app is not None and bool(app.client_secret) and hmac.compare_digest(app.client_secret or "", secret)


def _refused(error: str, why: str) -> Response:
    """GitHub says so with 200."""
    return JSONResponse({"error": error, "error_description": why, "error_uri": "https://docs.github.com"})


def _back(where: str, told: Mapping[str, str]) -> Response:
    joint = "&" if urlsplit(where).query else "?"
    return RedirectResponse(f"{where}{joint}{urlencode(told)}", status_code=HTTPStatus.FOUND)


def _basic(request: Request) -> dict[str, str]:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return {}
    return {unquote(name): unquote(password)} if scheme.lower() == "basic" else {}


def _site(request: Request) -> Site:
    return Site(str(request.base_url).rstrip("/"))


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
