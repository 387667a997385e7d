"""Encrypts and decrypts for the Temporal UI and CLI, which never see the key.

It decrypts everything, so it wants the caller's token, checks the namespace, allows one web origin, and listens on
the loopback interface unless told otherwise. The protocol is Temporal's remote codec: `POST /encode` and
`POST /decode` with a JSON list of payloads, the namespace in `X-Namespace`.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import jwt
from google.protobuf import json_format
from pydantic import JsonValue, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.exceptions import ApplicationError

from workers.codec import EncryptionCodec
from workers.settings import Settings

_MAX_BODY: Final = 16 * 1024 * 1024
_OBJECT: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])
Authorise = Callable[[str], Awaitable[bool]]


class NoWayToKnowCallers(ValueError):
    """Neither an issuer of tokens nor a shared token is configured."""


def codec_app(codec: EncryptionCodec, settings: Settings) -> Starlette:
    """The codec server.

    Raises:
        NoWayToKnowCallers: It would let anybody in.
    """
    authorise = _authoriser(settings)

    def endpoint(
        work: Callable[[Iterable[Payload]], Awaitable[list[Payload]]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            refusal = await _refusal(request, authorise, settings.temporal_namespace)
            return refusal or await _answer(request, work)

        return answer

    return Starlette(
        routes=[
            Route("/encode", endpoint(codec.encode), methods=["POST"]),
            Route("/decode", endpoint(codec.decode), methods=["POST"]),
            Route("/healthz", _healthy),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=[settings.codec_origin],
                allow_methods=["POST"],
                allow_headers=["authorization", "content-type", "x-namespace"],
                allow_credentials=True,
            )
        ],
    )


async def _healthy(request: Request) -> Response:
    del request
    return PlainTextResponse("ok\n")


async def _refusal(request: Request, authorise: Authorise, namespace: str) -> Response | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not await authorise(token):
        return _problem(401, "the codec server wants a bearer token that it knows; the CLI takes --codec-auth")
    if request.headers.get("x-namespace") != namespace:
        return _problem(403, f"this codec server decrypts the namespace {namespace!r} only")
    return None


async def _answer(request: Request, work: Callable[[Iterable[Payload]], Awaitable[list[Payload]]]) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            return _problem(413, "the payloads are larger than 16 MiB")
    try:
        payloads = json_format.ParseDict(_OBJECT.validate_json(body), Payloads())
        done = await work(payloads.payloads)
    except (json_format.ParseError, ValidationError, UnicodeDecodeError):
        return _problem(400, "the body is not a JSON list of Temporal payloads")
    except ApplicationError as error:
        return _problem(422, error.message)
    return Response(json_format.MessageToJson(Payloads(payloads=done)), media_type="application/json")


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"message": message}, status_code=status)


def _authoriser(settings: Settings) -> Authorise:
    if settings.codec_jwks_url is not None:
        return _by_issuer(settings, settings.codec_jwks_url)
    if settings.codec_token_file is None:
        raise NoWayToKnowCallers(
            "the codec server knows no caller: set BANKSMAN_CODEC_JWKS_URL, _ISSUER and _AUDIENCE, "
            "or BANKSMAN_CODEC_TOKEN_FILE"
        )
    expected = settings.codec_token_file.read_text(encoding="utf-8").strip().encode()
    if not expected:
        raise NoWayToKnowCallers(f"the codec server's token file {settings.codec_token_file} is empty")

    async def shared(token: str) -> bool:
        return hmac.compare_digest(token.encode(), expected)

    return shared


def _by_issuer(settings: Settings, url: str) -> Authorise:
    if settings.codec_issuer is None or settings.codec_audience is None:
        raise NoWayToKnowCallers("BANKSMAN_CODEC_JWKS_URL needs BANKSMAN_CODEC_ISSUER and BANKSMAN_CODEC_AUDIENCE")
    keys = jwt.PyJWKClient(url, cache_keys=True, lifespan=300, timeout=5)

    def valid(token: str) -> bool:
        try:
            jwt.decode(
                token,
                keys.get_signing_key_from_jwt(token),
                algorithms=["RS256", "ES256", "EdDSA"],
                issuer=settings.codec_issuer,
                audience=settings.codec_audience,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError:
            return False
        return True

    async def checked(token: str) -> bool:
        return await asyncio.to_thread(valid, token)

    return checked
