"""A conversation as no wire writes it: what is asked, and what is played."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import JsonValue

Role = Literal["user", "assistant", "tool"]
_LETTERS_PER_TOKEN = 4


class WireName(StrEnum):
    """Whose wire."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    BEDROCK = "bedrock"
    OLLAMA = "ollama"


class Stop(StrEnum):
    """Why an answer ends where it ends."""

    END = "end"
    CALLS = "calls"
    LIMIT = "limit"
    FILTERED = "filtered"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One call.

    Attributes:
        id: Unique among the twin's calls; a wire puts its own letters in front.
        name: The tool's.
        arguments: As JSON.
        broken: Whether that ends in its middle.
    """

    id: str = ""
    name: str
    arguments: str
    broken: bool = False


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one side said.

    Attributes:
        role: Which.
        text: Its words; of a tool its result.
        calls: Of the assistant.
        answers: Of a tool: the id of the call, empty on a wire that has none.
    """

    role: Role
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    answers: str = ""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One that the model may call."""

    name: str
    schema: JsonValue


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request.

    Attributes:
        wire: Over which.
        model: By its id.
        turns: The conversation, without what the system says.
        system: What it says.
        tools: What may be called.
        forced: The tool that must be called; empty: none in particular.
        schema: What the answer is to fit; None: nothing is asked.
        stream: Whether in pieces.
        limit: Tokens of the answer; None: the model's own.
        marked: The beginning that the caller wants to be cached; empty: nothing.
        usage: Whether a stream is to tell what it used.
    """

    wire: WireName
    model: str
    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    forced: str = ""
    schema: JsonValue = None
    stream: bool = False
    limit: int | None = None
    marked: str = ""
    usage: bool = True

    @property
    def turn(self) -> int:
        """Which answer of the conversation is asked for, counted from 1."""
        return 1 + sum(one.role == "assistant" for one in self.turns)

    @property
    def last(self) -> str:
        """What was said last; the results of all tools that were called together."""
        found = [self.turns[-1].text] if self.turns else []
        for one in reversed(self.turns[:-1]):
            if not (one.role == self.by == "tool"):
                break
            found.append(one.text)
        return "\n".join(reversed(found))

    @property
    def first(self) -> str:
        """What the user said first."""
        return next((one.text for one in self.turns if one.role == "user"), "")

    @property
    def by(self) -> Role:
        """Who said it."""
        return self.turns[-1].role if self.turns else "user"

    @property
    def tokens(self) -> int:
        """What the request counts, on every wire alike."""
        said = [
            text for one in self.turns for text in (one.text, *(f"{call.name}{call.arguments}" for call in one.calls))
        ]
        offered = [f"{one.name}{canonical(one.schema)}" for one in self.tools]
        asked = [canonical(self.schema)] if self.schema is not None else []
        return sum(map(tokens, [self.system, *said, *offered, *asked]))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens.

    Attributes:
        input: Of the request, without what was cached.
        output: Of the answer.
        cache_read: Of the request, from the cache.
        cache_write: Of the request, into the cache.
    """

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0

    @property
    def request(self) -> int:
        """All of the request."""
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an answer breaks off.

    Attributes:
        after: Events that still arrive; None: half of them.
        politely: Whether HTTP ends as it should.
        told: Whether an event of an error is the last one.
    """

    after: int | None
    politely: bool = False
    told: bool = False

    def kept(self, events: int) -> int:
        """How many of them arrive."""
        return events // 2 if self.after is None else min(self.after, events)


@dataclass(frozen=True, kw_only=True)
class Played:
    """One answer.

    Attributes:
        number: Which bill it is.
        text: Its words.
        calls: Its calls.
        stop: Why it ends.
        usage: What it says that it used.
        ending: How it breaks off; None: it does not.
    """

    number: int
    text: str
    calls: tuple[ToolCall, ...]
    stop: Stop
    usage: Usage
    ending: Ending | None = None


def tokens(text: str) -> int:
    """What a text counts: a token is four letters."""
    return math.ceil(len(text) / _LETTERS_PER_TOKEN)


def within(text: str, limit: int) -> str:
    """As much of a text as so many tokens hold."""
    return text[: limit * _LETTERS_PER_TOKEN]


def canonical(value: JsonValue) -> str:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
