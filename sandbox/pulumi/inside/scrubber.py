"""Takes known secrets out of what leaves the engine's container."""

import json
from collections.abc import Iterable
from typing import Final

MASK: Final = "[secret]"
_SHORTEST: Final = 4
"""Characters; a shorter secret would take half of every text with it."""


class Scrubber:
    """Knows secrets, and masks them in texts; also as JSON writes them, and each line of one that has several.

    Args:
        known: Another, all of whose secrets are masked too.
    """

    def __init__(self, known: "Scrubber | None" = None) -> None:
        self._other = known
        self._known: set[str] = set()
        self._longest_first: list[str] = []

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these too, from now on."""
        for secret in secrets:
            for part in {secret, secret.strip(), *secret.splitlines()}:
                quoted = json.dumps(part)[1:-1]
                # A value inside a JSON text inside JSON is quoted twice; Go also escapes <, > and &.
                angled = quoted.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
                forms = {part, quoted, json.dumps(quoted)[1:-1], angled, json.dumps(part, ensure_ascii=False)[1:-1]}
                self._known |= {form for form in forms if len(form) >= _SHORTEST}
        self._longest_first = sorted(self._known, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """The text with `MASK` in place of every secret."""
        for secret in self._longest_first:
            text = text.replace(secret, MASK)
        return text if self._other is None else self._other.clean(text)
