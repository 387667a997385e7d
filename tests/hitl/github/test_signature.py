"""A body is GitHub's where it is signed with a secret that is good now, whole and in this form; and never otherwise."""

import hashlib
import hmac

import pytest
from pydantic import SecretStr

from hitl.github.signature import BodySignature, WebhookSecrets, sign_body

# The one that GitHub's documentation has for trying an implementation.
_SECRET = SecretStr("It's a Secret to Everybody")
_BODY = b"Hello, World!"
_SIGNED = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
_NEW = SecretStr("a new one")


def test_the_documented_example_is_good_in_whatever_pieces_it_comes() -> None:
    assert sign_body(_SECRET, _BODY) == _SIGNED
    assert _is_good(_SIGNED)
    assert _is_good(_SIGNED, pieces=[b"Hello", b"", b", World!"])


@pytest.mark.parametrize(
    "header",
    [
        "",
        _SIGNED.removeprefix("sha256="),
        _SIGNED.upper(),
        _SIGNED[:-1],
        _SIGNED + "0",
        _SIGNED + "\n",
        "sha1=" + hmac.new(b"It's a Secret to Everybody", _BODY, hashlib.sha1).hexdigest(),
        "sha256=" + "\u0661" * 64,
        sign_body(SecretStr("another"), _BODY),
        sign_body(_SECRET, _BODY + b" "),
    ],
)
def test_anything_else_is_not(header: str) -> None:
    assert not _is_good(header)


def test_two_secrets_are_good_while_one_is_rotated_and_one_alone_after_that() -> None:
    both = WebhookSecrets(secret=_NEW, previous=_SECRET)
    assert _is_good(sign_body(_NEW, _BODY), secrets=both)
    assert _is_good(_SIGNED, secrets=both)
    assert not _is_good(_SIGNED, secrets=WebhookSecrets(secret=_NEW))


def test_nobody_signs_with_no_secret() -> None:
    empty = SecretStr("")
    nothing = WebhookSecrets(secret=empty, previous=empty)
    assert not _is_good(sign_body(empty, _BODY), secrets=nothing)


def test_secrets_are_not_shown() -> None:
    assert "Everybody" not in repr(WebhookSecrets(secret=_SECRET, previous=_SECRET))


def _is_good(header: str, *, secrets: WebhookSecrets | None = None, pieces: list[bytes] | None = None) -> bool:
    taken = BodySignature(secrets or WebhookSecrets(secret=_SECRET))
    for piece in pieces or [_BODY]:
        taken.take(piece)
    return taken.is_good(header)
