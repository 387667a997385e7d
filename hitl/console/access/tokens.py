"""Signed notes to ourselves: the session, a sign-in under way, a form. Nothing is kept in the gateway.

Each kind has an audience of its own, so that none passes for another; what is in them, their holder may read.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

import jwt
from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr, ValidationError

from hitl.approval.decision import Verdict

_ALGORITHM: Final = "HS256"


class Note(BaseModel):
    """One kind of note; its name is its audience."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Door(StrEnum):
    """By whom people sign in."""

    OIDC = "oidc"
    GITHUB = "github"


class Session(Note):
    """Somebody who signed in."""

    id: str
    identity: str
    account: int | None = None
    """The number of the account, where GitHub signed them in: a login can be another's tomorrow, a number cannot."""


class SignIn(Note):
    """A sign-in that the provider has not answered yet."""

    door: Door = Door.OIDC
    state: str
    nonce: str
    verifier: str
    back: str


class Form(Note):
    """One form, made for one session: what it will do, and the moment that counts as its click."""

    session: str
    path: str
    about: str = ""
    digest: str = ""
    verdict: Verdict | None = None
    at: AwareDatetime
    run: str = ""
    nonce: str = ""
    """Of the challenge that goes with it, where it takes a key."""


AnyNote = TypeVar("AnyNote", bound=Note)


class Tokens:
    """Writes and reads them."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    def seal(self, note: Note, *, lifetime: timedelta) -> str:
        """The note as a token that ends by itself."""
        now = datetime.now(UTC)
        claims = {
            "aud": f"banksman-console/{type(note).__name__}",
            "iat": now,
            "exp": now + lifetime,
            "note": note.model_dump(mode="json"),
        }
        return jwt.encode(claims, self._secret.get_secret_value(), algorithm=_ALGORITHM)

    def read(self, token: str, kind: type[AnyNote]) -> AnyNote | None:
        """The note; None where it is forged, of another kind, or over."""
        try:
            claims = jwt.decode(
                token,
                self._secret.get_secret_value(),
                algorithms=[_ALGORITHM],
                audience=f"banksman-console/{kind.__name__}",
                options={"require": ["aud", "iat", "exp"]},
            )
            return kind.model_validate(claims.get("note"))
        except (jwt.InvalidTokenError, ValidationError):
            return None
