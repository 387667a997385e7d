"""GitHub's signature over a delivery's raw body: `X-Hub-Signature-256: sha256=HEX`.

While the webhook's secret is being rotated two are good: GitHub signs with the new one, and sends again what it had
signed with the old one.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

_FORM: Final = re.compile(r"sha256=[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class WebhookSecrets:
    """What deliveries are signed with.

    Attributes:
        secret: The one that GitHub has.
        previous: The one it had before, while one is rotated.
    """

    secret: SecretStr
    previous: SecretStr | None = None


class BodySignature:
    """Of one body, taken piece by piece as it comes.

    Args:
        secrets: Any of them may have signed it.
    """

    def __init__(self, secrets: WebhookSecrets) -> None:
        good: Sequence[SecretStr | None] = (secrets.secret, secrets.previous)
        # With an empty key anybody could sign.
        keys = [one.get_secret_value().encode() for one in good if one is not None and one.get_secret_value()]
        self._digests = [hmac.new(key, digestmod=hashlib.sha256) for key in keys]

    def take(self, piece: bytes) -> None:
        """The next piece of the body."""
        for one in self._digests:
            one.update(piece)

    def is_good(self, header: str) -> bool:
        """Whether GitHub signed all that was taken, by what `X-Hub-Signature-256` says; in constant time."""
        if not _FORM.fullmatch(header):
            return False
        # All of them are compared: which of the secrets it was shall not be told by the time it takes.
        good = [hmac.compare_digest(f"sha256={one.hexdigest()}", header) for one in self._digests]
        return any(good)


def sign_body(secret: SecretStr, body: bytes) -> str:
    """The header that GitHub sends with this body."""
    return "sha256=" + hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
