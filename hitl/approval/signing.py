"""Whether a decision is signed, by the published halves of the gateway's key. Offline; a tenth of a millisecond each.

Alone in its module because `cryptography` is: workflow code reads decisions without loading it. Loaded a second time
by the workflow sandbox, its native half ends the whole worker process at the first bad signature.
"""

from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hitl.approval.decision import SignedDecision
from hitl.protocol import Refusal, RefusalReason

PublicKeys = Mapping[int, Ed25519PublicKey]
"""The published keys by their versions. A version that Vault no longer gives out is not among them."""


def public_key(raw: bytes) -> Ed25519PublicKey:
    """A public key from its 32 bytes.

    Raises:
        ValueError: They are no such key.
    """
    return Ed25519PublicKey.from_public_bytes(raw)


def refuse_signature(signed: SignedDecision, keys: PublicKeys) -> Refusal | None:
    """Why the signature does not hold, or None where it does."""
    key = keys.get(signed.key_version)
    if key is None:
        text = f"The decision is signed with version {signed.key_version} of the approval key, which is not in force"
        return Refusal(reason=RefusalReason.UNKNOWN_KEY, explanation=f"{text}; decide again.")
    try:
        key.verify(signed.signature_bytes(), signed.text.encode())
    except (InvalidSignature, UnicodeEncodeError):
        text = "The decision is not signed by the gateway; decide in Slack or in the console."
        return Refusal(reason=RefusalReason.BAD_SIGNATURE, explanation=text)
    return None
