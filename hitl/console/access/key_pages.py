"""A person's keys: those that the policy has, and making one, which counts once an operator wrote it there.

Nothing is kept here. Whoever has somebody's session can make a key and can enrol none: the policy file can, and it is
reviewed like everything else that says who may do what.
"""

import hashlib
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from webauthn import verify_registration_response
from webauthn.helpers.exceptions import WebAuthnException

from hitl.approval.approvers import Key
from hitl.approval.step_up import encoded
from hitl.console.access.tokens import Form
from hitl.console.access.visitors import Visitor, Visitors
from hitl.console.pages import Pages
from hitl.console.settings import ConsoleSettings
from hitl.gateway.decisions import PolicyInForce

KEYS: Final = "/keys"
FIELD: Final = "made"
_TAG: Final = "banksman-key/v1"


class KeyPages:
    """The routes."""

    def __init__(self, settings: ConsoleSettings, policy: PolicyInForce, *, visitors: Visitors, pages: Pages) -> None:
        self._settings = settings
        self._policy = policy
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """All of them."""
        return [Route(KEYS, self._show, methods=["GET"]), Route(KEYS, self._made, methods=["POST"])]

    async def _show(self, request: Request) -> Response:
        return self._page(self._visitors.visitor(request))

    async def _made(self, request: Request) -> Response:
        visitor = self._visitors.visitor(request)
        filled = await self._visitors.filled(request, visitor)
        try:
            made = self._key(filled.form, filled.fields.get(FIELD, ""))
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            return self._page(visitor, problem=f"The browser made no key that can be used here: {error}")
        return self._page(visitor, made=made)

    def _key(self, form: Form, text: str) -> Key:
        found = verify_registration_response(
            credential=text,
            expected_challenge=_challenge(form),
            expected_rp_id=self._settings.host,
            expected_origin=self._settings.origin,
            require_user_verification=True,
        )
        return Key(
            id=encoded(found.credential_id),
            public_key=encoded(found.credential_public_key),
            host=self._settings.host,
        )

    def _page(self, visitor: Visitor, *, made: Key | None = None, problem: str = "") -> Response:
        form = Form(session=visitor.session, path=KEYS, at=datetime.now(UTC), nonce=secrets.token_hex(16))
        return self._pages.render(
            "keys.html",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
            keys=self._policy.current().people.keys.get(visitor.person, ()),
            source=self._policy.current().source,
            host=self._settings.host,
            made=made,
            problem=problem,
            token=self._visitors.sealed(form),
            challenge=encoded(_challenge(form)),
            user=encoded(hashlib.sha256(visitor.person.encode()).digest()),
        )


def _challenge(form: Form) -> bytes:
    return hashlib.sha256(f"{_TAG}\n{form.session}\n{form.nonce}\n{form.at.isoformat()}".encode()).digest()
