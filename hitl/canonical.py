"""One way to write a thing down, so that a digest or a signature of it means the same everywhere: RFC 8785 JSON.

Text that people sign or approve is written once and travels as that text. Whoever reads it checks that it is the
canonical form: of two texts that say the same, one is refused, and so is a name given twice, of which parsers keep
the last one in silence.
"""

import hashlib
import json
from typing import NoReturn

import rfc8785
from pydantic import JsonValue


class NotCanonical(ValueError):
    """A text is not canonical JSON, or a value cannot be written as such."""


def canonical_json(value: JsonValue) -> str:
    """The one text of a plain value.

    Raises:
        NotCanonical: For what JSON cannot say alike everywhere: NaN, whole numbers beyond 2**53, half characters.
    """
    try:
        # The library's recursive type wants lists and mappings of its own making.
        return rfc8785.dumps(value).decode()  # pyright: ignore[reportArgumentType] - the same JSON, named otherwise
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise NotCanonical(f"this cannot be written as canonical JSON: {error}") from error


def require_canonical(text: str) -> None:
    """Refuse a text that is not the canonical form of what it says.

    Raises:
        NotCanonical: It is not JSON, or somebody wrote the same in other words.
    """
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"this is not JSON: {error}") from error
    if canonical_json(value) != text:
        raise NotCanonical("this is JSON, but not in its canonical form (RFC 8785): it was not written by Banksman")


def tagged_digest(tag: str, text: str) -> str:
    """`sha256:…` over a tag that says what kind of text it is, and the text: no digest stands for two kinds."""
    return "sha256:" + hashlib.sha256(f"{tag}\n{text}".encode()).hexdigest()


def _refuse(constant: str) -> NoReturn:
    raise NotCanonical(f"{constant} is no number of JSON")
