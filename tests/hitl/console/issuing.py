"""An OpenID provider on a port of its own: real keys, a code for one use, PKCE checked; each test bends one thing."""

import base64
import contextlib
import functools
import hashlib
import secrets
import socket
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, CLIENT_SECRET = "banksman", "the client's: secret/&"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


usual_key = functools.cache(new_key)


@dataclass
class Issuer:
    """Who signs in, and what is wrong with the answer."""

    address: str = ""
    key: rsa.RSAPrivateKey = field(default_factory=usual_key)
    kid: str = "k1"
    claims: dict[str, object] = field(default_factory=dict[str, object])
    """Instead of the right ones; a time is counted from now."""
    calls_itself: str | None = None
    published: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """Beside its own key."""
    signs_with: rsa.RSAPrivateKey | None = None
    algorithm: str = "RS256"
    shared: str = ""
    """The secret that signs with HS256."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    async def _describe(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.calls_itself or self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
            }
        )

    async def _keys(self, _request: Request) -> Response:
        public: dict[str, Any] = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return JSONResponse({"keys": [*self.published, public | {"kid": self.kid, "use": "sig", "alg": "RS256"}]})

    async def _authorize(self, request: Request) -> Response:
        """Nobody is asked: whoever comes is carol."""
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", status_code=302)

    async def _token(self, request: Request) -> Response:
        said = dict(parse_qsl((await request.body()).decode()))
        expected = base64.b64encode(f"{CLIENT}:the+client%27s%3A+secret%2F%26".encode()).decode()
        asked = self.codes.pop(said.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(said.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or request.headers.get("authorization") != f"Basic {expected}"
            or challenge.rstrip(b"=").decode() != asked["code_challenge"]
            or said.get("redirect_uri") != asked["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])})

    def id_token(self, nonce: str) -> str:
        now = datetime.now(UTC)
        bent = {name: now + value if isinstance(value, timedelta) else value for name, value in self.claims.items()}
        claims: dict[str, object] = {
            "iss": self.address,
            "aud": CLIENT,
            "sub": "u-1",
            "iat": now,
            "exp": now + timedelta(minutes=5),
            "nonce": nonce,
            "email": "carol@acme.test",
            "email_verified": True,
        }
        given = {name: value for name, value in (claims | bent).items() if value is not None}
        if self.algorithm == "none":
            return jwt.encode(given, "", algorithm="none", headers={"kid": self.kid})
        signs = self.shared if self.algorithm == "HS256" else self.signs_with or self.key
        return jwt.encode(given, signs, algorithm=self.algorithm, headers={"kid": self.kid})


@contextlib.contextmanager
def issuing() -> Generator[Issuer]:
    """An issuer, served in a thread of its own."""
    issuer = Issuer()
    server = uvicorn.Server(uvicorn.Config(issuer.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        issuer.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield issuer
        finally:
            server.should_exit = True
            thread.join(timeout=10)
