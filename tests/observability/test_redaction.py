import base64
import json
import time
from urllib.parse import quote

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status, StatusCode
from pydantic import SecretStr

from observability.redaction import MASK, MAX_KNOWN, MAX_TEXT, Redactor, is_secret_name
from observability.tracing import redacted

_PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIICANARYcanary+/=\nline2canary\n-----END RSA PRIVATE KEY-----"
_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.cGFzcy1jYW5hcnktc2lnbmF0dXJl"

SHAPES = {
    "github installation token": "ghs_" + "a1B2" * 9,
    "github stateless token": f"ghs_123456_{_JWT}",
    "github personal token": "ghp_" + "Zz9y" * 9,
    "github fine-grained token": "github_pat_11ABCDE0Y0" + "x_7" * 20,
    "github user token": "ghu_" + "abcd" * 9,
    "vault service token": "hvs.CAESIJ" + "k3_-" * 20,
    "vault batch token": "hvb.AAAAAQ" + "k3_-" * 20,
    "openbao service token": "s.3aB7dEfGh1jKlMnOpQrStUvW",
    "openbao namespaced token": "s.3aB7dEfGh1jKlMnOpQrStUvW.nsId1",
    "openbao batch token": "b.AAAAAQ" + "k3xY" * 20,
    "jwt": _JWT,
    "pem": _PEM,
    "pem in json": json.dumps(_PEM),
    "pem cut off": _PEM[:60],
    "ec pem": _PEM.replace("RSA ", "EC "),
    "pkcs8 pem": _PEM.replace("RSA ", ""),
    "slack bot token": "xoxb-1234567890-abcdefghij-CANARYcanary",
    "slack rotated token": "xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4OTA",
    "slack app token": "xapp-1-A0123456789-1234567890123-canary",
    "pulumi token": "pul-" + "0123456789abcdef" * 2 + "01234567",
    "aws key": "AKIAIOSFODNN7EXAMPLE",
    "neon key": "napi_" + "q1w2e3r4t5" * 4,
    "google key": "AIza" + "Sy0_-" * 7,
}

IN_CONTEXT = {
    "url userinfo": ("postgres://app:s3cr3tP4ss@db:5432/x", "s3cr3tP4ss"),
    "url userinfo with an at sign": ("redis://:p@ssCanary@cache:6379", "ssCanary"),
    "bearer": ("Authorization: Bearer abcDEF.123_canary", "abcDEF.123_canary"),
    "lower-case bearer": ("bearer canary.canary.canary", "canary.canary"),
    "basic": ("Basic dXNlcjpjYW5hcnk=", "dXNlcjpjYW5hcnk"),
    "token scheme": ("{'Authorization': 'token opaquecanary'}", "opaquecanary"),
    "vault header": ("X-Vault-Token: opaque-canary", "opaque-canary"),
    "query": ("GET /x?access_token=opaquecanary&y=1", "opaquecanary"),
    "json": ('{"client_secret": "opaque canary"}', "opaque canary"),
    "escaped json": (r'"{\"password\": \"opaquecanary\"}"', "opaquecanary"),
    "repr": ("Config(api_key='opaquecanary')", "opaquecanary"),
    "secret id": ("secret_id=0f8f1b2e-canary", "0f8f1b2e-canary"),
    "prose": ("wrong password: opaquecanary", "opaquecanary"),
    "slack hook": ("https://hooks.slack.com/services/T000/B000/canarycanary", "canarycanary"),
}

HARMLESS = [
    "s.someAttributeNameIsLongXy() was called",
    "s.lowercaseattributenamelong",
    "banksman_vault_token_ttl_seconds 3600",
    "token: expired",
    "the basic authentication failed; bearer authentication works",
    "https://127.0.0.1:8233/namespaces/default/workflows",
    "file:///srv/repo@main",
    "at 12:30 mail ops@example.org",
    "commit 3f0c9d1b6a7e8f9012345678901234567890abcd",
    "read-file/acme/shop/README.md",
    "01a1fcf7-dd6a-7c9b-b192-f98745befabf",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "vault:kv/github#app",
]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("around", ["{}", "before {} after", "'{}'", "x={};", '{{"a": "{}"}}', "({})\nnext"])
def test_a_credential_is_masked_wherever_it_stands(name: str, around: str) -> None:
    secret = SHAPES[name]

    redacted = Redactor().text(around.format(secret))

    assert "[redacted" in redacted
    for part in (secret, secret[8:], secret[: len(secret) // 2 + 6]):
        assert part not in redacted


@pytest.mark.parametrize("name", IN_CONTEXT)
def test_a_value_is_masked_by_what_stands_before_it(name: str) -> None:
    text, secret = IN_CONTEXT[name]

    assert secret not in Redactor().text(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize("text", [*SHAPES.values(), *(text for text, _ in IN_CONTEXT.values())])
def test_what_is_redacted_once_is_redacted_for_good(text: str) -> None:
    redactor = Redactor()

    once = redactor.text(text)

    assert redactor.text(once) == once


@pytest.mark.parametrize(
    "key",
    ["password", "clientSecret", "client-secret", "VAULT_TOKEN", "X-Vault-Token", "private_key", "privateKey", "apiKey",
     "Authorization", "secret_id", "Set-Cookie", "aws_secret_access_key", "dsn", "tokens", "payload_key"],
)  # fmt: skip
def test_a_secret_is_masked_by_its_name(key: str) -> None:
    redactor = Redactor()

    assert redactor.value({"outer": [{key: "plain"}]}) == {"outer": [{key: MASK}]}
    assert redactor.value({key: ["plain", {"a": "plain"}]}) == {key: MASK}
    assert redactor.value({key: b"plain"}) == {key: MASK}


@pytest.mark.parametrize(
    "key", ["vault_token_ttl_seconds", "token_accessor", "key_id", "secret_path", "keyboard", "author", "repository"]
)
def test_a_name_that_only_speaks_of_secrets_is_none(key: str) -> None:
    assert not is_secret_name(key)


def test_values_keep_their_form() -> None:
    plain = {"n": 1, "f": 0.5, "b": True, "none": None, "list": ["a", 2], "nested": {"x": {"y": "z"}}}

    assert Redactor().value(plain) == plain
    assert Redactor().value({"input_tokens": 512, "password": 12345678}) == {"input_tokens": 512, "password": MASK}
    assert Redactor().value((1, 2)) == [1, 2]
    assert Redactor().value({"s": SecretStr("hidden")}) == {"s": MASK}


def test_known_secrets_are_masked_in_every_spelling() -> None:
    redactor, secret = Redactor(), 'two words/and+"quotes"ü'
    redactor.register(SecretStr(secret))

    for form in (secret, quote(secret), quote(secret, safe=""), json.dumps(secret), repr(secret)):
        assert "quotes" not in redactor.text(f"<{form}>")
    encoded = base64.b64encode(secret.encode()).decode()
    assert encoded.rstrip("=") not in redactor.text(f"<{encoded}>")


def test_each_line_of_a_known_secret_is_masked() -> None:
    redactor = Redactor()
    redactor.register(SecretStr("-----BEGIN X-----\nfirst-line-of-it\nsecond-line-of-it\n-----END X-----"))

    assert redactor.text("second-line-of-it") == MASK


def test_what_is_known_is_bounded_and_short_values_are_left_alone() -> None:
    redactor = Redactor()
    redactor.register(SecretStr("short"))
    for number in range(MAX_KNOWN + 1):
        redactor.register(SecretStr(f"opaque-value-{number:05}"))

    assert redactor.text("short") == "short"
    assert redactor.text("opaque-value-00000") == "opaque-value-00000"
    assert redactor.text(f"opaque-value-{MAX_KNOWN:05}") == MASK


class _Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("ghs_" + "a" * 36)


class _HostileKey(str):
    __slots__ = ()

    def __hash__(self) -> int:
        return 1

    def __str__(self) -> str:
        raise ValueError


def test_nothing_raises() -> None:
    redactor = Redactor()
    circle: list[object] = []
    circle.append(circle)

    assert redactor.value(_Hostile()) == MASK
    assert redactor.value({_HostileKey("a"): 1}) == MASK
    assert "too deep" in str(redactor.value(circle))
    assert redactor.text("\ud800 lone surrogate") == "\ud800 lone surrogate"


def test_exceptions_lose_their_secrets() -> None:
    text = Redactor().value({"error": ValueError("bad token ghs_" + "a" * 36)})

    assert text == {"error": "bad token [redacted github-token]"}


@pytest.mark.parametrize(
    "unit", ["a-", "token", "a://", "eyJ", "authorization", "bearer ", "-----BEGIN ", "password: "]
)
def test_hostile_text_takes_no_time_and_no_room(unit: str) -> None:
    before = time.thread_time()

    redacted = Redactor().text(unit * 200_000)

    assert len(redacted) < MAX_TEXT + 100
    assert time.thread_time() - before < 2.0


def test_a_secret_at_the_cut_is_not_left_half() -> None:
    for shift in range(0, 64, 7):
        secret = "ghs_" + "Q" * 36
        text = "x" * (MAX_TEXT - shift) + " " + secret + " " + "y" * MAX_TEXT

        assert "QQQQ" not in Redactor().text(text)


@pytest.mark.parametrize("form", ["github installation token", "github stateless token", "jwt", "pem"])
def test_no_part_of_a_span_holds_what_github_gives(form: str) -> None:
    secret = SHAPES[form]
    said = f"git push https://x-access-token:{secret}@github.com/acme/shop refused {secret}"
    span = redacted(
        ReadableSpan(
            name=f"step {secret}",
            attributes={"http.url": said, "several": [said, "plain"], f"of {secret}": 1},
            events=[Event("exception", {"exception.message": said, "exception.stacktrace": said})],
            status=Status(StatusCode.ERROR, said),
        )
    )
    written = span.to_json() + repr(span.attributes)
    assert not [line for line in secret.splitlines() if line in written]
    assert "acme/shop refused" in written
