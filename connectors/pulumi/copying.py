"""A stack's state for a rehearsal: as it was exported, with no secret in it and nothing that opens one.

Secrets are not decrypted for it, and not encrypted anew: a placeholder stands where each was, still marked as a secret.
"""

import json
from typing import Final, cast

from connectors.pulumi.identity import SECRET, SIGNATURE, read_deployment

PLACEHOLDER: Final = "rehearsed"
"""In the place of every secret, in the state as in the configuration."""


def without_secrets(exported: bytes) -> tuple[bytes, int]:
    """The copy, and how many secrets were left out of it.

    Raises:
        ValueError: It is no exported deployment.
    """
    deployment = read_deployment(exported)
    deployment.pop("secrets_providers", None)
    left_out = _Left()
    whole = cast("dict[str, object]", json.loads(exported))
    return json.dumps({**whole, "deployment": left_out.copied(deployment)}).encode(), left_out.count


class _Left:
    def __init__(self) -> None:
        self.count = 0

    def copied(self, value: object) -> object:
        if isinstance(value, list):
            return [self.copied(one) for one in cast("list[object]", value)]
        if not isinstance(value, dict):
            return value
        fields = cast("dict[str, object]", value)
        if fields.get(SIGNATURE) == SECRET:
            self.count += 1
            return {SIGNATURE: SECRET, "plaintext": json.dumps(PLACEHOLDER)}
        return {name: self.copied(one) for name, one in fields.items()}
