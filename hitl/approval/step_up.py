"""Whether a person confirmed a decision with a key of their own: pure, and the same for the console and the guard.

The challenge is a digest of what is decided, so that a confirmation is good for one approval, one plan and one person,
for minutes. The public keys are of the policy file: whoever steals a session, or the gateway itself, adds none.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter
from webauthn import verify_authentication_response
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
from webauthn.helpers.exceptions import WebAuthnException

from hitl.approval.approvers import Key
from hitl.approval.decision import StepUp, Verdict
from hitl.canonical import canonical_json

_TAG: Final = "banksman-step-up/v1"
CONFIRM_WITHIN: Final = timedelta(minutes=5)
_SKEW: Final = timedelta(minutes=1)


class _ClientData(BaseModel):
    model_config = ConfigDict(extra="ignore")

    origin: str


_CLIENT: Final = TypeAdapter(_ClientData)


class NotConfirmed(ValueError):
    """It is no confirmation of this decision. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Confirms:
    """What a confirmation is of: everything that the key signs."""

    approval_id: str
    approval_run_id: str
    plan_digest: str
    person: str

    def challenge(self, nonce: str, asked_at: datetime) -> bytes:
        """The digest of it, once."""
        said: dict[str, JsonValue] = {
            "approval_id": self.approval_id,
            "approval_run_id": self.approval_run_id,
            "plan_digest": self.plan_digest,
            "person": self.person,
            "verdict": Verdict.APPROVE.value,
            "nonce": nonce,
            "asked_at": asked_at.astimezone(UTC).isoformat(),
        }
        return hashlib.sha256(f"{_TAG}\n{canonical_json(said)}".encode()).digest()


def confirmed(
    step_up: StepUp | None, of: Confirms, *, keys: Iterable[Key], decided_at: datetime
) -> VerifiedAuthentication:
    """The confirmation of a yes, checked whole.

    Args:
        step_up: As the browser brought it.
        of: What was decided.
        keys: Those that the policy has for the person.
        decided_at: When.

    Raises:
        NotConfirmed: There is none, or it is of something else.
    """
    if step_up is None:
        raise NotConfirmed("it was decided without that")
    if not -_SKEW <= decided_at - step_up.asked_at <= CONFIRM_WITHIN + _SKEW:
        raise NotConfirmed("it was confirmed at another time than it was decided")
    key = next((one for one in keys if one.id == step_up.credential), None)
    if key is None:
        raise NotConfirmed("the policy has no such key for this person")
    return _verified(step_up, key, of.challenge(step_up.nonce, step_up.asked_at))


def _verified(step_up: StepUp, key: Key, expected: bytes) -> VerifiedAuthentication:
    try:
        return verify_authentication_response(
            credential={
                "id": step_up.credential,
                "rawId": step_up.credential,
                "type": "public-key",
                "response": {
                    "clientDataJSON": step_up.client_data,
                    "authenticatorData": step_up.authenticator_data,
                    "signature": step_up.signature,
                },
            },
            expected_challenge=expected,
            expected_rp_id=key.host,
            expected_origin=_origin(step_up, key),
            credential_public_key=decoded(key.public_key),
            credential_current_sign_count=0,  # that it grows is looked after where it is counted
            require_user_verification=True,
        )
    except NotConfirmed:
        raise
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise NotConfirmed(str(error)[:200] or type(error).__name__) from error


def _origin(step_up: StepUp, key: Key) -> str:
    """Where it was confirmed, if that is a page of the host that the key was made for."""
    origin = origin_of(step_up)
    parts = urlsplit(origin)
    secure = parts.scheme == "https" or (parts.scheme == "http" and key.host == "localhost")
    if not secure or parts.hostname != key.host:
        raise NotConfirmed("it was confirmed on a page of another place")
    return origin


def origin_of(step_up: StepUp) -> str:
    """The page that it was confirmed on, as the browser said to the key.

    Raises:
        ValueError: It says none.
    """
    return _CLIENT.validate_json(decoded(step_up.client_data)).origin


def known_by(public_key: str) -> bytes:
    """What tells a public key from every other, however it was written down.

    Raises:
        ValueError: It is none that a confirmation could be checked with.
    """
    try:
        key = decoded_public_key_to_cryptography(decode_credential_public_key(decoded(public_key)))
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (WebAuthnException, UnsupportedAlgorithm, LookupError, TypeError, ValueError) as error:
        raise ValueError(str(error)[:200] or type(error).__name__) from error


def decoded(text: str) -> bytes:
    """The bytes of a text in base64 for addresses, without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    """Bytes as such a text."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
