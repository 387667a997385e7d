"""Where a value comes from, and where it may go: the one place that says so.

A literal of the plan is its author's. A result is a provider's word: numbers, booleans, values of a list and digests
are closed, and every other text is a stranger's, unless its field says otherwise. Such a text may stand where people
read text. Everywhere else it could name a thing (a repository, a branch, a command), so that it must be in a closed
list. A field that nobody has thought of counts as one that names a thing.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from pydantic import JsonValue

from hitl.hidden import nothing_hidden
from hitl.plan_language.catalogue import Path
from hitl.plan_language.types import Typed

TRUST: Final = "x-banksman-trust"
"""An annotation on a field of a result: `closed`, `digest` (one, and nothing else, is closed) or `untrusted`."""
POSITION: Final = "x-banksman-position"
"""An annotation on a field of an input: `text` or `identity`."""

DATA: Final = "x-banksman-data"
"""An annotation on the field of an input that says which data the goal is told, as in `repository` or `private`."""

TEXT_FIELDS: Final = frozenset(
    {"body", "content", "content_base64", "description", "message", "note", "reason", "summary", "text", "title"}
)
"""Inputs in which a stranger's words do no more than be read."""

Trust = Literal["closed", "untrusted", "listed"]
"""Closed by its type; a stranger's text; a stranger's text that is in a closed list."""
Lists = Mapping[str, Sequence[str]]
"""Closed lists by the names of fields, as in `branch`."""

_A_DIGEST: Final = re.compile(r"(?:sha256:)?(?:[0-9a-f]{40}|[0-9a-f]{64})")
_HEX_PATTERN: Final = re.compile(r"\^(?:sha256:)?\[0-9a-f\](?:\{\d+(?:,\d+)?\}|\+)\$")
_MOMENTS: Final = frozenset({"date", "date-time", "duration", "uuid"})
_DEEPEST: Final = 6


def is_closed(given: Typed, value: JsonValue = None, *, deep: int = _DEEPEST) -> bool:
    """Whether no stranger has a choice in a value of this type.

    Args:
        given: The type.
        value: It, where it is known: a digest has to be one.
        deep: So many levels below are looked at.
    """
    match given.marked(TRUST):
        case "untrusted":
            return False
        case "closed":
            return True
        case "digest":
            return value is None or (isinstance(value, str) and _A_DIGEST.fullmatch(value) is not None)
        case _:
            return all(_is_closed(one, deep) for one in given.alternatives())


def _is_closed(one: Typed, deep: int) -> bool:
    if one.listed() is not None:
        return True
    match sorted(one.kinds()):
        case ["boolean"] | ["integer"] | ["number"] | ["null"]:
            return True
        case ["string"]:
            return bool(_HEX_PATTERN.fullmatch(str(one.schema.get("pattern")))) or one.schema.get("format") in _MOMENTS
        case ["array"] if deep and (item := one.item()) is not None:
            return is_closed(item, deep=deep - 1)
        case ["object"] if deep and one.properties():
            fields = (one.below(name) for name in one.properties())
            return all(inner is not None and is_closed(inner, deep=deep - 1) for inner in fields)
        case _:
            return False


def position_of(takes: Typed, path: Path) -> tuple[str, bool]:
    """Which field a place in an input belongs to, and whether a value there could name a thing."""
    name, at, here = str(path[0]), takes, True
    for part in path:
        inner = at.below(str(part)) if here else None
        if inner is None:
            here = False  # below what is declared, no name of a field means anything
            continue
        at = inner
        name = name if isinstance(part, int) else part
    said = at.marked(POSITION) if here else "identity"
    return name, said != "text" if said else name not in TEXT_FIELDS


def chooses(wanted: Typed, given: Typed) -> bool:
    """Whether a place takes more than what its own type closes: there a stranger's word would be a choice.

    A number that a stranger chose freely is one, too; that of a provider is not.
    """
    return not is_closed(wanted) or (given.marked(TRUST) == "untrusted" and _takes_any_number(wanted))


def _takes_any_number(wanted: Typed) -> bool:
    return any(one.listed() is None and one.kinds() & {"integer", "number"} for one in wanted.alternatives())


def texts_of(value: JsonValue) -> list[str]:
    """Every text in a value, names of fields too."""
    match value:
        case str():
            return [value]
        case list():
            return [text for one in value for text in texts_of(one)]
        case dict():
            return [text for name, one in value.items() for text in (name, *texts_of(one))]
        case _:
            return []


def choices_of(value: JsonValue) -> list[str]:
    """What in a value could be chosen: its texts, and its numbers as they are written."""
    match value:
        case int() | float() if not isinstance(value, bool):
            return [str(value)]
        case list():
            return [text for one in value for text in choices_of(one)]
        case dict():
            return [text for name, one in value.items() for text in (name, *choices_of(one))]
        case _:
            return texts_of(value)


def data_field(takes: Typed) -> str | None:
    """The field of an input that says which data the goal is told; None where it is told nobody's."""
    return next((name for name in takes.properties() if (one := takes.below(name)) and one.marked(DATA)), None)


def hides(text: str) -> str | None:
    """What is hidden in a name, for the end of a sentence; None where nothing is."""
    try:
        nothing_hidden(text)
    except ValueError as error:
        return str(error)
    return None


def beyond_ascii(text: str) -> str | None:
    """What in a text is no ASCII, and so may look like what it is not; None where all of it is."""
    strange = list(dict.fromkeys(one for one in text if not one.isascii()))
    if not strange:
        return None
    named = [f"U+{ord(one):04X} {unicodedata.name(one, 'of no name')}" for one in strange[:3]]
    return ", ".join(named) + (f" and {len(strange) - len(named)} more" if len(strange) > len(named) else "")
