"""The codec server decrypts everything, so most of its tests are refusals."""

import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf import json_format
from jwt.algorithms import RSAAlgorithm
from temporalio.api.common.v1 import Payload, Payloads

from tests.workers.test_codec import ring
from workers.codec import EncryptionCodec
from workers.codec_server import NoWayToKnowCallers, codec_app
from workers.settings import Settings

ORIGIN = "http://ui.example"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')
GOOD = {"Authorization": "Bearer let-me-in", "X-Namespace": "default"}


def body(*payloads: Payload) -> str:
    return json_format.MessageToJson(Payloads(payloads=payloads))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    token = tmp_path / "token"
    token.write_text("let-me-in\n")
    return Settings(codec_token_file=token, codec_origin=ORIGIN)


@pytest.fixture
def codec() -> EncryptionCodec:
    return EncryptionCodec(ring("a"), "default", mark=False)


@asynccontextmanager
async def served(codec: EncryptionCodec, settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=codec_app(codec, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://codec") as client:
        yield client


async def test_it_encrypts_and_decrypts_for_a_known_caller(codec: EncryptionCodec, settings: Settings) -> None:
    async with served(codec, settings) as client:
        sealed = await client.post("/encode", content=body(PLAIN), headers=GOOD)
        opened = await client.post("/decode", content=sealed.text, headers=GOOD)
    assert "hello" not in json.dumps(sealed.json())
    assert json_format.Parse(opened.text, Payloads()).payloads[0] == PLAIN


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Namespace": "default"}, 401),
        ({"Authorization": "Bearer guess", "X-Namespace": "default"}, 401),
        ({"Authorization": "Bearer ", "X-Namespace": "default"}, 401),
        ({"Authorization": "Basic let-me-in", "X-Namespace": "default"}, 401),
        ({"Authorization": "Bearer let-me-in", "X-Namespace": "other"}, 403),
        ({"Authorization": "Bearer let-me-in"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/encode", "/decode"])
async def test_it_refuses_others(
    codec: EncryptionCodec, settings: Settings, path: str, headers: dict[str, str], status: int
) -> None:
    async with served(codec, settings) as client:
        answer = await client.post(path, content=body(PLAIN), headers=headers)
    assert answer.status_code == status
    assert "hello" not in answer.text


async def test_only_the_ui_may_call_it_from_a_browser(codec: EncryptionCodec, settings: Settings) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with served(codec, settings) as client:
        ours = await client.options("/decode", headers={"Origin": ORIGIN, **ask})
        foreign = await client.options("/decode", headers={"Origin": "http://evil.example", **ask})
    assert ours.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize(("text", "status"), [("not json", 400), ("[1]", 400), ("\xff", 400)])
async def test_garbage_is_told_apart(codec: EncryptionCodec, settings: Settings, text: str, status: int) -> None:
    async with served(codec, settings) as client:
        answer = await client.post("/decode", content=text.encode("latin-1"), headers=GOOD)
    assert answer.status_code == status


async def test_a_payload_of_another_key_is_refused(codec: EncryptionCodec, settings: Settings) -> None:
    [sealed] = await EncryptionCodec(ring("z"), "default").encode([PLAIN])
    async with served(codec, settings) as client:
        answer = await client.post("/decode", content=body(sealed), headers=GOOD)
    assert answer.status_code == 422
    assert "no key 'z'" in answer.text


async def test_a_body_over_the_bound_is_refused(codec: EncryptionCodec, settings: Settings) -> None:
    async with served(codec, settings) as client:
        answer = await client.post("/encode", content=b" " * (16 * 1024 * 1024 + 1), headers=GOOD)
    assert answer.status_code == 413


def test_it_does_not_start_where_it_would_know_nobody(codec: EncryptionCodec, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for settings in (
        Settings(),
        Settings(codec_token_file=empty),
        Settings(codec_jwks_url="http://keys.example"),
        Settings(codec_jwks_url="http://keys.example", codec_issuer="me"),
    ):
        with pytest.raises(NoWayToKnowCallers):
            codec_app(codec, settings)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NAMED = {"iss": "https://login.example", "aud": "codec"}
# The tests run in a session that may last longer than a token would.
CLAIMS = {**NAMED, "exp": time.time() + 24 * 3600}


def signed(claims: dict[str, Any], key: rsa.RSAPrivateKey = KEY, algorithm: str = "RS256") -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "one"})


def _always(key: jwt.PyJWK) -> Callable[[jwt.PyJWKClient, str], jwt.PyJWK]:
    def found(client: jwt.PyJWKClient, token: str) -> jwt.PyJWK:
        return key

    return found


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Settings]:
    """Settings of a codec server whose callers' tokens an issuer signs; only the fetch of its keys is replaced."""
    public = jwt.PyJWK.from_dict(RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), algorithm="RS256")
    monkeypatch.setattr(jwt.PyJWKClient, "get_signing_key_from_jwt", _always(public))
    return lambda: Settings(
        codec_jwks_url="http://keys.example", codec_issuer="https://login.example", codec_audience="codec"
    )


async def test_an_issuer_s_token_is_taken(codec: EncryptionCodec, issuer: Callable[[], Settings]) -> None:
    async with served(codec, issuer()) as client:
        headers = {"Authorization": f"Bearer {signed(CLAIMS)}", "X-Namespace": "default"}
        answer = await client.post("/encode", content=body(PLAIN), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "token",
    [
        signed({**CLAIMS, "exp": time.time() - 5}),
        signed({**CLAIMS, "aud": "other"}),
        signed({**CLAIMS, "iss": "https://evil.example"}),
        signed(NAMED),
        signed(CLAIMS, rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        jwt.encode(CLAIMS, "", algorithm="none"),
        "garbage",
    ],
    ids=["expired", "audience", "issuer", "no-expiry", "other-key", "none", "garbage"],
)
async def test_other_tokens_are_not(codec: EncryptionCodec, issuer: Callable[[], Settings], token: str) -> None:
    async with served(codec, issuer()) as client:
        headers = {"Authorization": f"Bearer {token}", "X-Namespace": "default"}
        answer = await client.post("/encode", content=body(PLAIN), headers=headers)
    assert answer.status_code == 401
