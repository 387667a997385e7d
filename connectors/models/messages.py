"""One request to a language model and its answer, in words of ours: light enough for workflow code, and no library's.

What a model says is text. Nothing here reads it: a tool call's arguments stay the text that the model wrote.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MOST_INLINE: Final = 32 * 1024
"""Characters of one text that stand in a request or in an answer; a longer one is an artifact, by its reference."""
MOST_LOADED: Final = 4 * 1024 * 1024
"""Characters that one request may come to, with what its references stand for."""
MOST_ANSWER_TOKENS: Final = 64_000


class Ended(StrEnum):
    """Why a model said no more. A closed list: goals branch on it."""

    STOP = "stop"
    """It was done."""
    TOOL_CALL = "tool_call"
    """It asks for tools."""
    LENGTH = "length"
    """It had no more tokens: what it said is cut."""
    CONTENT_FILTER = "content_filter"
    """The backend's filter or the model itself refused."""
    CONTEXT_TOO_LONG = "context_too_long"
    """The request does not fit into the model's context; nothing was said."""
    UNKNOWN = "unknown"
    """The backend did not say."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Text(_Part):
    """Words: inline, or by the reference of an artifact."""

    kind: Literal["text"] = "text"
    text: str = ""
    reference: str | None = Field(default=None, description="`sha256:…`; then `text` is empty.")


class ToolCall(_Part):
    """A model asks for a tool."""

    kind: Literal["tool_call"] = "tool_call"
    id: str
    tool: str
    arguments: str = Field(default="{}", description="JSON as the model wrote it; nobody has looked at it.")
    well_formed: bool = Field(default=True, description="Whether that is a JSON object at all.")


class ToolResult(_Part):
    """What a tool answered."""

    kind: Literal["tool_result"] = "tool_result"
    id: str = Field(description="Of the call.")
    tool: str
    text: str = ""
    reference: str | None = Field(default=None, description="`sha256:…`; then `text` is empty.")
    failed: bool = False


Part = Annotated[Text | ToolCall | ToolResult, Field(discriminator="kind")]
AnswerPart = Annotated[Text | ToolCall, Field(discriminator="kind")]


class Message(_Part):
    """What one side said."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


class Tool(_Part):
    """A tool that the model may ask for."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    description: str = ""
    parameters: dict[str, JsonValue] = Field(description="A JSON Schema of an object.")


class OutputSchema(_Part):
    """The form that an answer must have."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    description: str = ""
    json_schema: dict[str, JsonValue] = Field(description="A JSON Schema of an object.")


class Prompt(_Part):
    """All that a model is told.

    Attributes:
        instructions: Above everything; trusted text.
        messages: The conversation, the newest last.
        tools: What it may ask for.
        output: The form of its answer; None for words.
        max_tokens: As long as the answer may be.
        temperature: 0 for the same answer each time, as far as the model can.
    """

    instructions: Text = Text()
    messages: tuple[Message, ...] = Field(min_length=1)
    tools: tuple[Tool, ...] = ()
    output: OutputSchema | None = None
    max_tokens: int = Field(default=4096, ge=1, le=MOST_ANSWER_TOKENS)
    temperature: float = Field(default=0.0, ge=0, le=2)


class Tokens(_Part):
    """What was counted, by the backend's own word. Those of the cache are part of `input`."""

    input: int = Field(default=0, ge=0)
    output: int = Field(default=0, ge=0)
    cached_input: int = Field(default=0, ge=0)
    cache_written: int = Field(default=0, ge=0)


class Answer(_Part):
    """What a model said.

    Attributes:
        parts: In its order.
        output: JSON as the model wrote it, where an output schema was asked for; nobody has looked at it.
        ended: Why it said no more.
        tokens: What was counted; None where the backend did not say, or nothing that can be: then the most counts.
        answered_by: The model's name as the backend says it.
        recorded: Whether it was had before, and nobody was asked now: it costs nothing.
    """

    parts: tuple[AnswerPart, ...] = ()
    output: Text | None = None
    ended: Ended
    tokens: Tokens | None = None
    answered_by: str = Field(default="", max_length=200)
    recorded: bool = False


def texts(prompt: Prompt) -> list[Text | ToolResult]:
    """Every text of a prompt that may stand for an artifact."""
    parts = [part for message in prompt.messages for part in message.parts]
    return [prompt.instructions, *(part for part in parts if isinstance(part, Text | ToolResult))]


def require_fit(prompt: Prompt) -> None:
    """Go on only where every text is inline and short, or a reference, and everybody says what is theirs to say.

    Raises:
        ValueError: One is not.
    """
    for one in texts(prompt):
        if one.reference is not None and one.text:
            raise ValueError("a text is both inline and by reference: leave one of them out")
    for one in prompt.messages:
        _require_own(one)
    if (longest := max(map(len, words(prompt)))) > MOST_INLINE:
        raise ValueError(
            f"a text of {longest} characters is inline, and {MOST_INLINE} is the most: keep it as an artifact, and "
            "give its reference"
        )


def _require_own(message: Message) -> None:
    foreign = ToolResult if message.role == "assistant" else ToolCall
    if any(isinstance(one, foreign) for one in message.parts):
        raise ValueError("a tool call is the assistant's to say, and a tool's result the user's")


def words(prompt: Prompt) -> list[str]:
    """All that is said in a prompt that is inline: its texts, and the arguments of its calls as they were written."""
    calls = [part.arguments for one in prompt.messages for part in one.parts if isinstance(part, ToolCall)]
    return [*(one.text for one in texts(prompt)), *calls]
