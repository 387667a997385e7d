"""Signing in by an OpenID provider: authorization code, PKCE, state and nonce; the id token is checked by its keys."""

import hmac
import time
from typing import Annotated, Final
from urllib.parse import quote_plus, urlencode

import httpx
import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.authorities import authorities
from hitl.console.access.code_flow import SignInFailed, challenge
from hitl.console.access.tokens import SignIn
from hitl.console.settings import OidcSettings, SafeUrl

_ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Of public keys alone: one that a shared secret signs would pass for any."""
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat"]
_PATIENCE_S: Final = 10.0
_FRESH_S: Final = 3600.0
_LEEWAY_S: Final = 60
_MAX_IDENTITY: Final = 200


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Discovered(_Answer):
    issuer: str
    authorization_endpoint: SafeUrl
    token_endpoint: SafeUrl
    jwks_uri: SafeUrl


class _Tokens(_Answer):
    id_token: Annotated[str, Field(max_length=64 * 1024)]


class _Claims(_Answer):
    sub: Annotated[str, Field(min_length=1)]
    nonce: str
    aud: str | list[str]
    azp: str | None = None
    email: str | None = None
    email_verified: bool | None = None


class OpenIdProvider:
    """One provider. What it publishes is kept for an hour, its keys until one is missing."""

    def __init__(self, settings: OidcSettings, *, redirect_uri: str) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._discovered: _Discovered | None = None
        self._until = 0.0
        self._keys: jwt.PyJWKSet | None = None

    async def address(self, sign_in: SignIn) -> str:
        """Where the person goes to sign in.

        Raises:
            SignInFailed: The provider cannot be read.
        """
        found = await self._discover()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid email",
            "state": sign_in.state,
            "nonce": sign_in.nonce,
            "code_challenge": challenge(sign_in),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{joint}{urlencode(asked)}"

    async def finish(self, sign_in: SignIn, *, code: str, said_by: str | None = None) -> str:
        """The identity that signed in, as in `console:carol@acme.test`. The caller has compared the state.

        Args:
            sign_in: The one that this browser began.
            code: From the provider's answer.
            said_by: `iss` of the provider's answer, where it says so (RFC 9207).

        Raises:
            SignInFailed: The provider does not vouch for it.
        """
        found = await self._discover()
        if said_by is not None and said_by != found.issuer:
            raise SignInFailed("The answer is of another provider than the one that was asked; sign in again.")
        claims = await self._checked(await self._exchange(found, code, sign_in.verifier), found)
        if not hmac.compare_digest(claims.nonce.encode(), sign_in.nonce.encode()):
            raise SignInFailed("The answer belongs to another sign-in (its nonce differs); sign in again.")
        if isinstance(claims.aud, list) and len(claims.aud) > 1 and claims.azp != self._settings.client_id:
            raise SignInFailed("The answer was made for another application; sign in again.")
        return self._identity(claims)

    def _identity(self, claims: _Claims) -> str:
        if self._settings.identity_claim == "sub":
            name = claims.sub
        elif claims.email is None or claims.email_verified is not True:
            raise SignInFailed("The provider does not say that your email is verified; ask its administrator.")
        else:
            name = claims.email
        if len(name) > _MAX_IDENTITY or any(one.isspace() for one in name):
            raise SignInFailed("The provider's name for you has a space in it, or is too long for a policy.")
        return f"console:{name}"

    async def _exchange(self, found: _Discovered, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        secret, client_id = self._settings.client_secret, self._settings.client_id
        auth = None
        if secret is None:
            form["client_id"] = client_id
        else:  # RFC 6749, 2.3.1: each part is encoded as in a form before it is joined
            auth = httpx.BasicAuth(quote_plus(client_id), quote_plus(secret.get_secret_value()))
        async with httpx.AsyncClient(verify=authorities(), timeout=_PATIENCE_S) as client:
            try:
                answer = await client.post(
                    found.token_endpoint, data=form, auth=auth if auth is not None else httpx.USE_CLIENT_DEFAULT
                )
                answer.raise_for_status()
                return _Tokens.model_validate_json(answer.content).id_token
            except (httpx.HTTPError, ValidationError) as error:
                raise SignInFailed("The provider did not accept the sign-in; sign in again.") from error

    async def _checked(self, token: str, found: _Discovered) -> _Claims:
        try:
            claims = jwt.decode(
                token,
                await self._key(token, found),
                algorithms=_ALGORITHMS,
                audience=self._settings.client_id,
                issuer=found.issuer,
                leeway=_LEEWAY_S,
                options={"require": _REQUIRED},
            )
            return _Claims.model_validate(claims)
        except (jwt.PyJWTError, ValidationError) as error:
            raise SignInFailed("The provider's answer is not valid for this console; sign in again.") from error

    async def _key(self, token: str, found: _Discovered) -> jwt.PyJWK:
        """The key that the token names, looked for once more where it is new."""
        name = jwt.get_unverified_header(token).get("kid")
        for fresh in (False, True):
            keys = await self._published(found, fresh=fresh)
            for key in keys.keys:
                if key.key_id == name or (name is None and len(keys.keys) == 1):
                    return key
        raise jwt.InvalidKeyError("no such key")

    async def _published(self, found: _Discovered, *, fresh: bool) -> jwt.PyJWKSet:
        if self._keys is None or fresh:
            self._keys = jwt.PyJWKSet.from_json((await _get(found.jwks_uri)).decode())
        return self._keys

    async def _discover(self) -> _Discovered:
        if self._discovered is None or time.monotonic() > self._until:
            try:
                found = _Discovered.model_validate_json(
                    await _get(f"{self._settings.issuer}/.well-known/openid-configuration")
                )
            except ValidationError as error:
                raise SignInFailed("The sign-in provider does not describe itself as OpenID Connect asks.") from error
            if found.issuer.rstrip("/") != self._settings.issuer:
                raise SignInFailed("The sign-in provider calls itself by another name than the console's setting.")
            self._discovered, self._until, self._keys = found, time.monotonic() + _FRESH_S, None
        return self._discovered


async def _get(url: str) -> bytes:
    async with httpx.AsyncClient(verify=authorities(), timeout=_PATIENCE_S) as client:
        try:
            answer = await client.get(url)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise SignInFailed("The sign-in provider cannot be reached; try again in a moment.") from error
    return answer.content
