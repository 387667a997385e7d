"""Signing in and out: by an OpenID provider, by GitHub, or, in the embedded environment alone, by saying who one is."""

import hmac
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hitl.approval.approvers import folded
from hitl.console.access.code_flow import SignInFailed, begin
from hitl.console.access.github import GitHubDoor
from hitl.console.access.oidc import OpenIdProvider
from hitl.console.access.tokens import Door, SignIn
from hitl.console.access.visitors import GITHUB, Refused, Visitors, local_path
from hitl.console.pages import Pages
from hitl.console.settings import GITHUB_CALLBACK, ConsoleSettings

CALLBACK: Final = "/sign-in/callback"
_DENIED: Final = "The provider did not let you in; sign in again, or ask its administrator."


class SignInPages:
    """The routes."""

    def __init__(self, settings: ConsoleSettings, *, visitors: Visitors, pages: Pages) -> None:
        self._visitors = visitors
        self._pages = pages
        self._anybody = not settings.vouched
        self._provider = (
            OpenIdProvider(settings.oidc, redirect_uri=f"{settings.origin}{CALLBACK}") if settings.oidc else None
        )
        self._github = (
            GitHubDoor(settings.github, redirect_uri=f"{settings.origin}{GITHUB_CALLBACK}") if settings.github else None
        )

    def routes(self) -> list[Route]:
        """Those of the ways to sign in that there are."""
        routes = [Route("/sign-in", self._offer), Route("/sign-out", self._out, methods=["POST"])]
        if self._anybody:
            routes.append(Route("/sign-in/as", self._say, methods=["POST"]))
        if self._provider is not None:
            routes += [Route("/sign-in/begin", self._begin), Route(CALLBACK, self._callback)]
        if self._github is not None:
            routes += [Route("/sign-in/github", self._to_github), Route(GITHUB_CALLBACK, self._from_github)]
        return routes

    async def _offer(self, request: Request) -> Response:
        back = local_path(request.query_params.get("back", "/"))
        people = sorted(self._visitors.people.identities.items()) if self._anybody else []
        ours = [(identity, person) for identity, person in people if identity.startswith("console:")]
        doors = {Door.OIDC: self._provider, Door.GITHUB: self._github}
        there = [door for door, way in doors.items() if way is not None]
        return self._pages.render("sign_in.html", None, back=back, people=ours, doors=there)

    async def _say(self, request: Request) -> Response:
        fields = await self._visitors.fields(request)
        identity = fields.get("identity", "")
        if not identity.startswith("console:") or self._visitors.people.person(identity) is None:
            text = f"The policy names no {identity!r}; choose one of those on the page."
            raise Refused(HTTPStatus.FORBIDDEN, "Nobody by that name", text)
        return self._visitors.signed_in(_go(local_path(fields.get("back", "/"))), identity)

    async def _begin(self, request: Request) -> Response:
        assert self._provider is not None  # noqa: S101 - its route is there with it alone
        sign_in = begin(Door.OIDC, local_path(request.query_params.get("back", "/")))
        try:
            return self._visitors.signing_in(_go(await self._provider.address(sign_in)), sign_in)
        except SignInFailed as error:
            raise _failed(str(error)) from error

    async def _callback(self, request: Request) -> Response:
        assert self._provider is not None  # noqa: S101 - its route is there with it alone
        sign_in, code = self._answered(request, Door.OIDC)
        try:
            identity = await self._provider.finish(sign_in, code=code, said_by=request.query_params.get("iss"))
        except SignInFailed as error:
            raise _failed(str(error)) from error
        return self._visitors.signed_in(_go(local_path(sign_in.back)), identity)

    async def _to_github(self, request: Request) -> Response:
        assert self._github is not None  # noqa: S101 - its route is there with it alone
        sign_in = begin(Door.GITHUB, local_path(request.query_params.get("back", "/")))
        return self._visitors.signing_in(_go(self._github.address(sign_in)), sign_in)

    async def _from_github(self, request: Request) -> Response:
        """Whom the policy does not know gets no session at all: the page says what an operator would have to add."""
        assert self._github is not None  # noqa: S101 - its route is there with it alone
        sign_in, code = self._answered(request, Door.GITHUB)
        try:
            found = await self._github.finish(sign_in, code=code)
        except SignInFailed as error:
            raise _failed(str(error)) from error
        identity = folded(f"{GITHUB}{found.login}")
        self._visitors.person(identity, found.id)
        return self._visitors.signed_in(_go(local_path(sign_in.back)), identity, found.id)

    def _answered(self, request: Request, door: Door) -> tuple[SignIn, str]:
        """The sign-in that this answer is of, and the code in it.

        Raises:
            Refused: This browser began none, or the provider says no.
        """
        query = request.query_params
        sign_in = self._visitors.sign_in_of(request, door)
        if sign_in is None or not hmac.compare_digest(query.get("state", "").encode(), sign_in.state.encode()):
            raise _failed("This answer is not of a sign-in that this browser began; sign in again.")
        if "code" not in query:
            raise _failed(_DENIED)
        return sign_in, query["code"]

    async def _out(self, request: Request) -> Response:
        await self._visitors.filled(request, self._visitors.visitor(request))
        return self._visitors.signed_out(_go("/sign-in"))


def to_sign_in(back: str) -> Response:
    """To the sign-in page, and from there back."""
    return _go(f"/sign-in?back={quote(local_path(back), safe='')}")


def _go(where: str) -> Response:
    return RedirectResponse(where, status_code=HTTPStatus.SEE_OTHER, headers={"Cache-Control": "no-store"})


def _failed(text: str) -> Refused:
    return Refused(HTTPStatus.FORBIDDEN, "You are not signed in", text)
