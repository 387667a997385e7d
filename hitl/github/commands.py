"""`/banksman …` on the first line of a comment, made into one command; pure, and nothing of it is believed.

Only the very first line is looked at: what somebody quotes begins with `>`, and a command that is told of in the middle
of a text is none. Who may say what: `hitl.github.rules`.
"""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Final, assert_never

from pydantic import JsonValue

from hitl.hidden import visible
from hitl.policy.triggers import SlashCommand

COMMAND: Final = "/banksman"
_FIRST: Final = re.compile(r"/banksman(?:[ \t]+(.*))?", re.DOTALL)
_FIELD: Final = re.compile(r"([a-z][a-z0-9_]{0,62})=(.*)", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_ID: Final = re.compile(r"[A-Za-z0-9][!-~]{0,299}")
_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{12,64})")
_MOST_LINE: Final = 4000
"""Half of what is kept of a comment: a line that was cut is never read."""
_MOST_REASON: Final = 500
_SHOWN: Final = 60
_PAIRS: Final = {'"': '"', "'": "'", "“": "”"}
USAGE: Final = (
    f"{COMMAND} run GOAL key=value … · ask for a goal, in your name; or {COMMAND} run GOAL {{JSON}}\n"
    f'{COMMAND} ask "…" · have a model plan what you say, in your name\n'
    f"{COMMAND} revise [WORDS] · have a coding job take up the review of its pull request, in your name\n"
    f"{COMMAND} approve ID DIGEST · say yes to the plan that you were shown\n"
    f"{COMMAND} reject ID REASON · say no\n"
    f"{COMMAND} cancel [ID] · end what you asked for\n"
    f"{COMMAND} retry [ID] · ask for the same once more\n"
    f"{COMMAND} status [ID] · where what you asked for stands\n"
    f"{COMMAND} help · this list"
)


@dataclass(frozen=True, kw_only=True)
class Command:
    """What somebody typed.

    Attributes:
        word: Which.
        goal: The name of a goal, for `run`; nobody has looked whether there is one.
        given: Its input as JSON, for `run`; what was said, for `ask` and `revise`.
        id: Of an approval or a goal; empty where none was named.
        digest: Of the plan that was shown, or how that begins, for `approve`: hexadecimal digits.
        reason: For `reject`.
    """

    word: SlashCommand
    goal: str = ""
    given: str = ""
    id: str = ""
    digest: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Misread:
    """A command that is none. Attributes: words, for who typed it: what is wrong, and what to write."""

    words: str


class _Wrong(ValueError):
    """What is wrong with a command, and the way out."""


def first_line(body: str) -> str:
    """The line of a comment that a command can stand on."""
    return body.replace("\r\n", "\n").split("\n", 1)[0].rstrip()


def read_command(body: str) -> Command | Misread | None:
    """The command on the first line of a comment; None where there is none.

    Args:
        body: The comment, as its author wrote it.
    """
    line = first_line(body)
    found = _FIRST.fullmatch(line)
    if found is None:
        return None
    try:
        return _command((found[1] or "").strip(), length=len(line))
    except _Wrong as error:
        return Misread(str(error))


def _command(text: str, *, length: int) -> Command:
    if length > _MOST_LINE:
        raise _Wrong(f"The line has {length} characters; write {_MOST_LINE} at most.")
    said, _, rest = text.partition(" ")
    if not said:
        return Command(word=SlashCommand.HELP)
    if said not in set(SlashCommand):
        raise _Wrong(f"There is no command {_shown(said)}. There are:\n{USAGE}")
    return _read(SlashCommand(said), rest.strip())


def _read(word: SlashCommand, rest: str) -> Command:
    match word:
        case SlashCommand.RUN:
            return _run(rest)
        case SlashCommand.ASK:
            return _ask(rest)
        case SlashCommand.REVISE:
            return Command(word=word, given=_unquoted(rest))
        case SlashCommand.APPROVE:
            return _approve(rest)
        case SlashCommand.REJECT:
            return _reject(rest)
        case SlashCommand.CANCEL | SlashCommand.RETRY | SlashCommand.STATUS | SlashCommand.HELP:
            return Command(word=word, id=_id(rest) if rest and word is not SlashCommand.HELP else "")
        case _:
            assert_never(word)


def _run(text: str) -> Command:
    goal, _, given = text.partition(" ")
    if not _NAME.fullmatch(goal):
        raise _Wrong(f"Name a goal: `{COMMAND} run GOAL key=value …`.")
    given = given.strip()
    return Command(word=SlashCommand.RUN, goal=goal, given=given if given.startswith("{") else _fields(given))


def _fields(text: str) -> str:
    """`key=value …` as JSON. Each value is text, and the goal's own input makes of it what it takes."""
    found: dict[str, JsonValue] = {}
    for part in _split(text):
        field = _FIELD.fullmatch(part)
        if field is None:
            raise _Wrong(f"{_shown(part)} is no `key=value`; put a value with spaces in quotes, or write one {{JSON}}.")
        if field[1] in found:
            raise _Wrong(f"The field {field[1]!r} is there twice; say once what it shall be.")
        found[field[1]] = _value(field[2])
    return json.dumps(found, ensure_ascii=False)


def _value(text: str) -> JsonValue:
    """A text, or the list or mapping that it is."""
    if text[:1] not in {"[", "{"}:
        return text
    try:
        parsed: JsonValue = json.loads(text)
    except ValueError:
        return text
    return parsed


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise _Wrong("A quotation mark is not closed; close it, or write the input as one {JSON}.") from error


def _ask(text: str) -> Command:
    words = _unquoted(text)
    if not words:
        raise _Wrong(f'Say what is to be done: `{COMMAND} ask "…"`.')
    return Command(word=SlashCommand.ASK, given=words)


def _unquoted(text: str) -> str:
    return text[1:-1].strip() if len(text) > 1 and _PAIRS.get(text[0]) == text[-1] else text


def _approve(text: str) -> Command:
    name, _, digest = text.partition(" ")
    if not digest.strip():
        return Command(word=SlashCommand.APPROVE, id=_id(name))
    found = _DIGEST.fullmatch(digest.strip())
    if found is None:
        raise _Wrong(f"{_shown(digest)} is no digest of a plan; copy its first 12 digits at least, as you were shown.")
    return Command(word=SlashCommand.APPROVE, id=_id(name), digest=found[1])


def _reject(text: str) -> Command:
    name, _, reason = text.partition(" ")
    reason = reason.strip()
    if not reason:
        raise _Wrong(f"Say why: `{COMMAND} reject ID REASON`.")
    if len(reason) > _MOST_REASON or visible(reason) != reason:
        raise _Wrong(f"Give the reason in {_MOST_REASON} characters at most, and none that nobody sees.")
    return Command(word=SlashCommand.REJECT, id=_id(name), reason=reason)


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise _Wrong(f"{_shown(text)} is no id; copy it from the message or the check run.")
    return text


def _shown(text: str) -> str:
    short = text.strip()[:_SHOWN]
    return repr(visible(short) + ("…" if len(text.strip()) > _SHOWN else ""))
