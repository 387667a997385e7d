"""A manifest's text, read with bounded cost and before anything believes it: YAML of one plain document.

A repository's text is anybody's. So its size, its depth and the number of its values are bounded before values are made
of them; anchors, aliases, tags and further documents are refused; and so is whatever people who look at the file would
not see: characters that hide, or turn text around.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple, cast

import yaml

from hitl.hidden import nothing_hidden, visible
from hitl.policy.yaml import Document, Location, YamlError, read_document

MOST_BYTES: Final = 64 * 1024
MOST_VALUES: Final = 5000
DEEPEST: Final = 12
MOST_MISTAKES: Final = 50
_TURNING: Final = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKING: Final = frozenset("\u0085\u2028\u2029")
"""YAML ends a line there, and an editor may not: what looks like a comment would be read."""


class Mistake(NamedTuple):
    """One thing wrong with a manifest: where it is written, which key it is about, and what was meant."""

    line: int
    column: int
    where: str
    message: str


class TextError(Exception):
    """A text that is no manifest at all."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes


@dataclass(frozen=True, kw_only=True)
class Text:
    """A manifest's text, and what stands in it."""

    text: str
    document: Document

    def written_at(self, at: Location) -> str:
        """What is written at this place, on one line, with nothing hidden in it."""
        span = self.document.values.get(at)
        if span is None:
            return ""
        first, *more = self.text[span.start : span.stop].strip().splitlines() or [""]
        short = first if len(first) <= _SHOWN else f"{first[:_SHOWN]}…"
        return visible(short) + (" …" if more else "")

    def mistake(self, at: Location, message: str, *, key: bool = False) -> Mistake:
        """A mistake at this place, or at the nearest around it that is written down."""
        span = self.document.span(at, key=key)
        return Mistake(span.line if span else 1, span.column if span else 1, dotted(at), message)


_SHOWN: Final = 60
_LARGEST: Final = 10**15
_PLAIN: Final = re.compile(r"true|false|-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,15})?")


def dotted(at: Location) -> str:
    """`verify.http[0].every`, or `file` for the whole; nothing hidden in it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{visible(part[:_SHOWN])}" for part in at)
    return text.removeprefix(".") or "file"


def read_text(data: bytes) -> Text:
    """Read a manifest's bytes.

    Raises:
        TextError: It is no YAML, or none that is taken here.
    """
    text = _decoded(data)
    if hidden := list(islice(_hidden(text), MOST_MISTAKES)):
        raise TextError(hidden)
    try:
        _bound(text)
        document = read_document(text)
    except yaml.MarkedYAMLError as error:
        raise TextError([_unreadable(error, text)]) from error
    except YamlError as error:
        raise TextError([Mistake(error.line, error.column, dotted(error.location), error.message)]) from error
    return Text(text=text, document=document)


def _decoded(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise TextError([Mistake(1, 1, "file", f"is larger than {MOST_BYTES // 1024} kB; a manifest is a page or two")])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        line, column = _place(before, len(before))
        raise TextError([Mistake(line, column, "file", "is not UTF-8 from here on; save it as UTF-8")]) from error


def _place(text: str, index: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - start + 1


def _hidden(text: str) -> Iterator[Mistake]:
    """Characters that no part of the file may hold, comments included."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return
    for index, one in enumerate(text):
        control = unicodedata.category(one) == "Cc" and one not in "\n\t"
        if control or one in _TURNING or one in _BREAKING:
            line, column = _place(text, index)
            advice = f"holds the character U+{ord(one):04X}, which a person cannot see; leave it out"
            yield Mistake(line, column, "file", advice)


def _bound(text: str) -> None:
    """Go through the document once, as events, and stop at the first thing that is not taken."""
    depth = values = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        values += isinstance(event, yaml.NodeEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if found := _not_taken(event, depth=depth, values=values, documents=documents):
            line, column = _place(text, event.start_mark.index if event.start_mark else 0)
            raise YamlError(found, line=line, column=column)


def _not_taken(event: yaml.Event, *, depth: int, values: int, documents: int) -> str | None:
    if documents > 1:
        return "a second document begins here; a manifest is one: take out the '---'"
    if depth > DEEPEST:
        return f"is nested more than {DEEPEST} levels deep; no key of a manifest lies so deep"
    if values > MOST_VALUES:
        return f"has more than {MOST_VALUES} values; a manifest is a page or two"
    if isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.NodeEvent) and event.anchor is not None):
        return "anchors and aliases (& and *) are not taken here; write the value out, or put a text in quotes"
    tag = getattr(event, "tag", None)
    if isinstance(tag, str):
        return f"the tag {visible(tag[:_SHOWN])!r} is not taken here; write the plain value, or put a text in quotes"
    return None


_ADVICE: Final = (
    ("'\\t'", "a tab stands here; YAML indents with spaces"),
    ("mapping values are not allowed", "a second ':' stands in this line; put the text in quotes, or begin a new line"),
    ("could not find expected ':'", "the ':' behind a key is missing, or a text over several lines lacks its quotes"),
    ("expected <block end>", "this line is not indented as the ones before it; line it up with them"),
    ("found unknown escape", "a backslash in double quotes begins an escape; write \\\\ or use single quotes"),
    ("while scanning a quoted scalar", "a quote is not closed"),
    ("while parsing a flow sequence", "a ',' or the closing ']' is missing"),
    ("while parsing a flow mapping", "a ',' or the closing '}' is missing"),
    ("cannot start any token", "this character begins nothing in YAML; put the text in quotes"),
)


def _unreadable(error: yaml.MarkedYAMLError, text: str) -> Mistake:
    mark = error.problem_mark or error.context_mark
    reason = f"{error.context or ''}: {error.problem or ''}"
    advice = next(
        (advice for part, advice in _ADVICE if part in reason), f"{error.problem}; check indentation and quotes"
    )
    line = mark.line + 1 if mark else 1
    written = text.split("\n")[line - 1].strip() if mark else ""
    quoted = f": {visible(written[:_SHOWN])!r}" if written else ""
    return Mistake(line, mark.column + 1 if mark else 1, "file", f"this is not YAML{quoted}; {visible(advice)}")


def find_odd_values(text: Text) -> Iterator[Mistake]:
    """Values that nobody meant: nothing at all, a date, no number, a text in which something hides."""
    if text.document.value is not None:
        yield from _odd(text, text.document.value, ())


def _odd(text: Text, value: object, at: Location) -> Iterator[Mistake]:
    if isinstance(value, dict):
        for key, one in cast("dict[object, object]", value).items():
            if isinstance(key, str):  # others are problems of the document's form
                if found := _hides(key):
                    yield text.mistake((*at, key), found, key=True)
                yield from _odd(text, one, (*at, key))
    elif isinstance(value, list):
        for index, one in enumerate(cast("list[object]", value)):
            yield from _odd(text, one, (*at, index))
    elif at in text.document.values and (found := _odd_value(text, value, at)):
        yield text.mistake(at, found, key=value is None)


def _odd_value(text: Text, value: object, at: Location) -> str | None:
    match value:
        case str():
            return _hides(value)
        case None:
            return "is empty; write a value, or take the key out"
        case bool() | int() | float():
            # In YAML 1.2, which editors read, some words and numbers are others: `yes` is a text, and 010 is ten.
            if _PLAIN.fullmatch(text.written_at(at)):
                return None
            read = "a number" if isinstance(value, int) and abs(value) > _LARGEST else str(value).lower()
            return f"`{text.written_at(at)}` is read as {read}; write it plainly, or put it in quotes"
        case _:
            return f"`{text.written_at(at)}` is read as a date; put it in quotes"


def _hides(value: str) -> str | None:
    for line in value.replace("\t", "\n").split("\n"):
        try:
            nothing_hidden(line)
        except ValueError as error:
            return str(error)
    return None
