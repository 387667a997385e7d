"""Who may do what at the twin: the App by its JWT, installations by tokens that are narrow, short and revocable."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import jwt
from pydantic import BaseModel, ConfigDict, StrictInt, ValidationError

from connectors.github.twin.apps import Apps, TwinApp

_LONGEST_JWT: Final = 600
_CLOCK_SKEW: Final = 60
_LEVELS: Final[Mapping[str, int]] = {"read": 1, "write": 2, "admin": 3}
_UNDECODABLE: Final = "A JSON web token could not be decoded"


@dataclass(frozen=True, kw_only=True)
class InstallationToken:
    """What a token may do."""

    owner: str
    repositories: frozenset[str]
    permissions: Mapping[str, str]
    expires: float
    app: TwinApp | None = None

    def covers(self, owner: str, name: str) -> bool:
        """Whether it may see this repository at all."""
        return self.owner.lower() == owner.lower() and name.lower() in {one.lower() for one in self.repositories}

    def permits(self, permission: str, level: str) -> bool:
        """Whether it has this permission at this level."""
        return self.allows(self.permissions, {permission: level})

    @staticmethod
    def allows(granted: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
        """Whether all that is wanted is granted; an unknown level never is."""
        return all(0 < _LEVELS.get(level, 0) <= _LEVELS.get(granted.get(name, ""), 0) for name, level in wanted.items())


class _Claims(BaseModel):
    """What GitHub reads of a JWT. Its clock is ours, so the times are checked here and not by PyJWT."""

    model_config = ConfigDict(extra="ignore")

    iat: StrictInt
    exp: StrictInt


@dataclass
class Authority:
    """Checks JWTs, and makes, finds and revokes tokens.

    Args:
        apps: Whose JWTs are taken, each signed with any of its keys.
        clock: Seconds since the epoch.
        token_seconds: How long an installation token lives.
    """

    apps: Apps
    clock: Callable[[], float] = time.time
    token_seconds: float = 3600
    _tokens: dict[str, InstallationToken] = field(default_factory=dict[str, InstallationToken])

    def app(self, token: str) -> TwinApp | str:
        """Whose JWT this is, or why it is refused."""
        app = self._issuer(token)
        claims = next(filter(None, (_claims(token, app, key) for key in app.keys)), None) if app else None
        if app is None or claims is None:
            return _UNDECODABLE
        return self._untimely(claims) or app

    def _issuer(self, token: str) -> TwinApp | None:
        """The App that it claims to be of: that only says which keys to check it with."""
        try:
            said: object = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except jwt.PyJWTError:
            return None
        return self.apps.issued(str(said))

    def _untimely(self, claims: _Claims) -> str | None:
        now = self.clock()
        if claims.exp <= now - _CLOCK_SKEW:
            return "'Expiration time' claim ('exp') must be a numeric value representing the future time"
        if claims.exp > now + _LONGEST_JWT:
            return "'Expiration time' claim ('exp') is too far in the future"
        if claims.iat > now + _CLOCK_SKEW:
            return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        return None

    def mint(
        self, owner: str, repositories: frozenset[str], permissions: Mapping[str, str], app: TwinApp | None = None
    ) -> tuple[str, float]:
        """A new token, in GitHub's stateless form, and when it ends (seconds since the epoch)."""
        expires, app = self.clock() + self.token_seconds, app or self.apps.first
        signed = jwt.encode({"jti": secrets.token_urlsafe(96), "exp": int(expires)}, secrets.token_bytes(32))
        token = f"ghs_{app.number}_{signed}"
        self._tokens[token] = InstallationToken(
            owner=owner, repositories=repositories, permissions=permissions, expires=expires, app=app
        )
        return token, expires

    def find(self, token: str) -> InstallationToken | None:
        """What this token may do; None when it is unknown, revoked or too old."""
        found = self._tokens.get(token)
        if found is not None and found.expires <= self.clock():
            del self._tokens[token]
            return None
        return found

    def revoke(self, token: str) -> None:
        """End it."""
        self._tokens.pop(token, None)

    @property
    def live(self) -> int:
        """How many tokens are neither revoked nor too old."""
        now = self.clock()
        return sum(token.expires > now for token in self._tokens.values())


def _claims(token: str, app: TwinApp, key: str) -> _Claims | None:
    """What the JWT says, when this key signed it for this App."""
    try:
        return _Claims.model_validate(
            jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=[app.client_id, str(app.number)],
                options={"require": ["iat", "exp", "iss"], "verify_exp": False, "verify_iat": False},
            )
        )
    except (jwt.PyJWTError, ValidationError):
        return None
