"""Who is asking: the session in a signed cookie, the person by the policy in force, and forms that only we made."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from hitl.approval.approvers import People
from hitl.approval.decision import Verdict
from hitl.console.access.tokens import Door, Form, Session, SignIn, Tokens
from hitl.console.settings import ConsoleSettings
from hitl.gateway.decisions import PolicyInForce
from hitl.github.events import Actor
from hitl.github.rules import Known, who

MAX_FORM_BYTES: Final = 1024 * 1024
GITHUB: Final = "github:"
"""How the identity of who signed in by GitHub begins."""
UNKNOWN: Final = "The policy does not know you"
_MAX_FIELDS: Final = 100
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_BODY_S: Final = 15.0


class Refused(Exception):
    """A request that is not answered as asked; a page says why."""

    def __init__(self, status: HTTPStatus, title: str, text: str) -> None:
        super().__init__(text)
        self.status, self.title, self.text = status, title, text


class SignInFirst(Exception):
    """Nobody is signed in; `back` is where the person wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who is signed in, and whom the policy knows."""

    session: str
    identity: str
    person: str
    groups: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A form as it came back, and what we had signed into it."""

    form: Form
    token: str
    fields: Mapping[str, str]


class Visitors:
    """Reads requests."""

    def __init__(self, settings: ConsoleSettings, policy: PolicyInForce) -> None:
        self._settings = settings
        self._policy = policy
        self.tokens = Tokens(settings.secret)
        # A `__Host-` cookie is of this one host: a neighbour under the same domain cannot set it.
        prefix = "__Host-" if settings.secure else ""
        self._session_cookie, self._sign_in_cookie = f"{prefix}banksman", f"{prefix}banksman-sign-in"

    @property
    def people(self) -> People:
        """Everybody whom the policy knows now.

        Raises:
            PolicyError: The policy cannot be read now.
        """
        return self._policy.current().people

    def visitor(self, request: Request) -> Visitor:
        """Who asks.

        Raises:
            SignInFirst: Nobody is signed in, or no longer.
            Refused: The policy does not know them.
            PolicyError: The policy cannot be read now.
        """
        session = self.tokens.read(request.cookies.get(self._session_cookie, ""), Session)
        if session is None:
            query = f"?{request.url.query}" if request.url.query else ""
            raise SignInFirst(f"{request.url.path}{query}")
        people = self.people
        person = self.person(session.identity, session.account)
        groups = frozenset(name for name, members in people.groups.items() if person in members)
        return Visitor(session=session.id, identity=session.identity, person=person, groups=groups)

    def person(self, identity: str, account: int | None) -> str:
        """Who that is by the policy in force; where GitHub vouches for them, by login and number.

        Raises:
            Refused: The policy does not know them.
            PolicyError: The policy cannot be read now.
        """
        policy = self._policy.current()
        if identity.startswith(GITHUB):
            found = who(Actor(login=identity.removeprefix(GITHUB), id=account or 0), policy)
            if isinstance(found, Known):
                return found.person
            text = f"You signed in by GitHub as {identity.removeprefix(GITHUB)!r}, whose account is {account}. {found}"
            raise Refused(HTTPStatus.FORBIDDEN, UNKNOWN, text)
        person = policy.people.person(identity)
        if person is None:
            text = (
                f"You signed in as {identity!r}, and the policy knows nobody by that identity; "
                "an operator can add it to `people` in the policy file."
            )
            raise Refused(HTTPStatus.FORBIDDEN, UNKNOWN, text)
        return person

    def form(
        self, visitor: Visitor, path: str, *, about: str = "", digest: str = "", verdict: Verdict | None = None
    ) -> str:
        """The token of one form that this visitor may send once, or again as the same click."""
        return self.sealed(
            Form(session=visitor.session, path=path, about=about, digest=digest, verdict=verdict, at=datetime.now(UTC))
        )

    def sealed(self, form: Form) -> str:
        """The token of that form."""
        return self.tokens.seal(form, lifetime=self._settings.form_for)

    async def filled(self, request: Request, visitor: Visitor) -> Filled:
        """A form of ours, sent back by the visitor for whom it was made.

        Raises:
            Refused: It is somebody else's, of another page, or too old.
        """
        fields = await self.fields(request)
        token = fields.get("form", "")
        form = self.tokens.read(token, Form)
        if form is None or form.session != visitor.session or form.path != request.url.path:
            text = "This form is not yours, or is too old. Nothing was done; open the page again."
            raise Refused(HTTPStatus.FORBIDDEN, "Nothing was done", text)
        return Filled(form=form, token=token, fields=fields)

    async def fields(self, request: Request) -> Mapping[str, str]:
        """What a form says, bounded.

        Raises:
            Refused: It is no form, or too long.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Not a form", "Send the form of the page.")
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_S):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > MAX_FORM_BYTES:
                        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too long", "Write less, and send it again.")
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "Too slow", "The form did not arrive; send it again.") from None
        except ValueError:
            raise Refused(HTTPStatus.BAD_REQUEST, "Not a form", "Send the form of the page.") from None
        return dict(pairs)

    # The cookies.

    def signed_in(self, response: Response, identity: str, account: int | None = None) -> Response:
        """The response, with a new session for who signed in; `account` is the number that GitHub says."""
        session = Session(id=secrets.token_urlsafe(16), identity=identity, account=account)
        token = self.tokens.seal(session, lifetime=self._settings.session_for)
        self._set(response, self._session_cookie, token, int(self._settings.session_for.total_seconds()))
        self._set(response, self._sign_in_cookie, "", 0)
        return response

    def signed_out(self, response: Response) -> Response:
        """The response, which ends the session in this browser."""
        self._set(response, self._session_cookie, "", 0)
        return response

    def signing_in(self, response: Response, sign_in: SignIn) -> Response:
        """The response, with a sign-in under way."""
        token = self.tokens.seal(sign_in, lifetime=self._settings.form_for)
        self._set(response, self._sign_in_cookie, token, int(self._settings.form_for.total_seconds()))
        return response

    def sign_in_of(self, request: Request, door: Door) -> SignIn | None:
        """The sign-in that this browser began by that door."""
        found = self.tokens.read(request.cookies.get(self._sign_in_cookie, ""), SignIn)
        return found if found is not None and found.door is door else None

    def _set(self, response: Response, name: str, value: str, age: int) -> None:
        response.set_cookie(
            name, value, max_age=age, path="/", secure=self._settings.secure, httponly=True, samesite="lax"
        )


def local_path(text: str) -> str:
    """Where to go after signing in: a path of this console, whatever the link said."""
    odd = any(one.isspace() or ord(one) < 0x21 or one == "\\" for one in text)  # noqa: PLR2004 - control characters
    parts = urlsplit(text) if not odd else None
    if parts is None or parts.scheme or parts.netloc or not text.startswith("/") or text.startswith("//"):
        return "/"
    return quote(text, safe="/?&=%+:@~-._,;!$'()*#")
