"""Takes secrets out of whatever is about to leave the process: log lines, span attributes, failures.

Three nets, because each has holes of its own:

1. *Names*: the value under a key such as `password` or `clientSecret` is masked whatever it looks like.
2. *Shapes*: what looks like a credential is masked wherever it stands, in the middle of a traceback too.
3. *Known secrets*: what a process was given by Vault is registered and masked exactly, in the spellings that
   libraries like to print (quoted for URLs, base64, escaped as in JSON).

This is the last line, not the first: secrets are kept out of these places to begin with. Everything here is total:
it never raises, and what it cannot look at it masks.
"""

import base64
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from threading import Lock
from typing import Final, cast
from urllib.parse import quote, quote_plus

from pydantic import SecretBytes, SecretStr

from observability.shapes import HINTED, SECRET_NAME, SHAPES

MASK: Final = "[redacted]"

MAX_KNOWN: Final = 512
"""How many secrets are known at a time; the oldest is forgotten, its lease is long over by then."""
MIN_KNOWN_LENGTH: Final = 8
"""Shorter ones would mask ordinary words; they are left to names and shapes."""
MAX_TEXT: Final = 32_768
"""Characters kept of one string: a log line is no place for a file."""
_MAX_INPUT: Final = 2 * MAX_TEXT
_LONGEST_TOKEN: Final = 4_096
_MAX_DEPTH: Final = 8
_MAX_ITEMS: Final = 256

_WORD_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a value under this key is a secret by its name alone."""
    return SECRET_NAME.search(_WORD_BREAK.sub("_", name).lower()) is not None


def _spellings(secret: str) -> Iterable[str]:
    """The forms in which one secret shows up in texts: as is, quoted, escaped, base64, and line by line."""
    raw = secret.encode("utf-8", "surrogatepass")
    encoded = base64.b64encode(raw).decode()
    forms = {
        secret,
        secret.strip(),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
    }
    forms |= {repr(secret)[1:-1], encoded, base64.urlsafe_b64encode(raw).decode().rstrip("="), encoded.rstrip("=")}
    forms.update(line.strip() for line in secret.splitlines() if not line.startswith("-----"))
    return sorted((form for form in forms if len(form) >= MIN_KNOWN_LENGTH), key=len, reverse=True)


def _as_text(value: object) -> str:
    match value:
        case str() | BaseException():
            # A subclass (`StrEnum`) is text like any other.
            return str(value)
        case bytes() | bytearray():
            return bytes(value[:_MAX_INPUT]).decode("utf-8", "replace")
        case SecretStr() | SecretBytes():
            return MASK
        case _:
            return repr(value)


class Redactor:
    """Masks secrets in texts and structures; one per process, safe from any thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._forms: tuple[str, ...] = ()
        self._lock = Lock()

    def register(self, secret: SecretStr) -> None:
        """Mask this exact value from now on, in every spelling; values under eight characters are ignored."""
        value = secret.get_secret_value()
        if len(value.strip()) < MIN_KNOWN_LENGTH:
            return
        with self._lock:
            known = value in self._known
            self._known[value] = self._known[value] if known else tuple(_spellings(value))
            self._known.move_to_end(value)
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
            if not known:
                forms = {form for forms in self._known.values() for form in forms}
                self._forms = tuple(sorted(forms, key=len, reverse=True))  # the longest first: others may be in it

    def text(self, text: str) -> str:
        """The text without its secrets, at most `MAX_TEXT` characters of it. Never raises."""
        try:
            return self._text(text)
        except Exception:  # noqa: BLE001 - whatever went wrong, the text may hold a secret and a log must not fail
            return MASK

    def head(self, text: str, most: int) -> str:
        """The beginning of a stranger's words. Redacted before they are cut, for half a secret has no shape."""
        return self.text(text)[:most]

    def tail(self, text: str, most: int) -> str:
        """Their end, in the same way."""
        return self.text(text[-MAX_TEXT // 2 :])[-most:]

    def value(self, value: object, *, key: str = "") -> object:
        """The same structure of plain values without its secrets; `key` is the name it stands under. Never raises.

        Mappings, sequences, numbers, booleans and None keep their form; everything else becomes text.
        """
        try:
            return self._value(value, key, _MAX_DEPTH)
        except Exception:  # noqa: BLE001 - as in `text`: a hostile `__repr__` must not reach the caller
            return MASK

    def _text(self, text: str) -> str:
        cut = len(text) > _MAX_INPUT
        redacted = text[:_MAX_INPUT]
        # A pattern of thousands of alternatives would take tens of milliseconds to compile for each new secret, and
        # longer to search with.
        for form in self._forms:
            if form in redacted:
                redacted = redacted.replace(form, MASK)
        lowered = redacted.lower()
        # Most texts hold no hint at all, and one search tells; else substrings cost a hundredth of the patterns.
        if HINTED.search(lowered) is not None:
            for shape in SHAPES:
                if any(hint in lowered for hint in shape.hints):
                    redacted = shape.pattern.sub(shape.kept, redacted)
        if not cut and len(redacted) <= MAX_TEXT:
            return redacted
        # Where the input was cut, its end may be half a secret that no shape matches any more.
        keep = min(MAX_TEXT, len(redacted) - _LONGEST_TOKEN if cut else len(redacted))
        return redacted[:keep] + f"… [{len(text)} characters]"

    def _value(self, value: object, key: str, depth: int) -> object:
        if value is None or isinstance(value, bool):
            return value
        if key and is_secret_name(key):
            # `tokens: 512` is a count; `password: 12345678` is not.
            counted = isinstance(value, int | float) and key.lower().endswith("tokens")
            return value if counted else MASK
        return self._by_type(value, depth)

    def _by_type(self, value: object, depth: int) -> object:
        if isinstance(value, str):  # nearly all there is; a check against `Mapping` costs more than all the rest
            return self._text(str(value))
        if isinstance(value, int | float):
            return value
        if not isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._text(_as_text(value))
        if depth == 0:
            return "[too deep]"
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value), depth)
        items = list(cast("Iterable[object]", value))[:_MAX_ITEMS]
        return [self._value(item, "", depth - 1) for item in items]

    def _mapping(self, mapping: Mapping[object, object], depth: int) -> dict[str, object]:
        items = list(mapping.items())[:_MAX_ITEMS]
        return {self._text(str(name)): self._value(value, str(name), depth - 1) for name, value in items}


redact: Final = Redactor()
"""The process's redactor: what is registered here is masked in its logs, its spans and the failures it reports."""
