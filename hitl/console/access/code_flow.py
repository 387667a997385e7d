"""What the doors have in common: a sign-in that this browser began, its challenge, and how one fails."""

import hashlib
import secrets
from base64 import urlsafe_b64encode

from hitl.console.access.tokens import Door, SignIn


class SignInFailed(Exception):
    """The provider's answer is not taken. The message is for people and holds nothing of the answer's secrets."""


def begin(door: Door, back: str) -> SignIn:
    """A new sign-in by that door, with a state, a nonce and a verifier that nobody can guess."""
    return SignIn(
        door=door,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
        back=back,
    )


def challenge(sign_in: SignIn) -> str:
    """What the provider is told of the verifier (RFC 7636, S256)."""
    return urlsafe_b64encode(hashlib.sha256(sign_in.verifier.encode()).digest()).rstrip(b"=").decode()
