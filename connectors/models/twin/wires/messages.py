"""A request for a message: held against the types of Anthropic's SDK, and read as far as the twin needs it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaMessageTokensCount, BetaRawMessageStreamEvent
from anthropic.types.beta.message_count_tokens_params import MessageCountTokensParams as BetaCountParams
from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming as BetaWholeParams
from anthropic.types.beta.message_create_params import MessageCreateParamsStreaming as BetaStreamParams
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from pydantic import Field, JsonValue, TypeAdapter

from connectors.models.twin.conversation import Asked, Tool, ToolCall, Turn, WireName, canonical
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.wires import reading
from connectors.models.twin.wires.reading import Shape


@dataclass(frozen=True)
class Types:
    """The SDK's types of one edition of the API.

    Attributes:
        asked: A request.
        names: What may stand in it.
        counted: A request whose tokens are to be counted.
        count: Their number.
        whole: An answer in one piece.
        event: A piece of one.
    """

    asked: TypeAdapter[Any]
    names: frozenset[str]
    counted: TypeAdapter[Any]
    count: TypeAdapter[Any]
    whole: TypeAdapter[Any]
    event: TypeAdapter[Any]


# The SDK's types have lost them, and the API still takes them for older models.
_SAMPLING: Final = ("temperature", "top_p", "top_k")
STABLE: Final = Types(
    asked=TypeAdapter(MessageCreateParamsNonStreaming | MessageCreateParamsStreaming),
    names=frozenset(
        {*MessageCreateParamsNonStreaming.__annotations__, *MessageCreateParamsStreaming.__annotations__, *_SAMPLING}
    ),
    counted=TypeAdapter(MessageCountTokensParams),
    count=TypeAdapter(MessageTokensCount),
    whole=TypeAdapter(Message),
    event=TypeAdapter(RawMessageStreamEvent),
)
BETA: Final = Types(
    asked=TypeAdapter(BetaWholeParams | BetaStreamParams),
    names=frozenset({*BetaWholeParams.__annotations__, *BetaStreamParams.__annotations__, *_SAMPLING} - {"betas"}),
    counted=TypeAdapter(BetaCountParams),
    count=TypeAdapter(BetaMessageTokensCount),
    whole=TypeAdapter(BetaMessage),
    event=TypeAdapter(BetaRawMessageStreamEvent),
)


class _Text(Shape):
    type: Literal["text"]
    text: str
    cache_control: dict[str, JsonValue] | None = None


class _ToolUse(Shape):
    type: Literal["tool_use"]
    id: str
    name: str
    input: JsonValue
    cache_control: dict[str, JsonValue] | None = None


class _ToolResult(Shape):
    type: Literal["tool_result"]
    tool_use_id: str
    content: str | tuple[_Text, ...] = ""
    cache_control: dict[str, JsonValue] | None = None

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(one.text for one in self.content)


_Block = Annotated[_Text | _ToolUse | _ToolResult, Field(discriminator="type")]


class _Message(Shape):
    role: Literal["user", "assistant", "system"]
    content: str | tuple[_Block, ...]

    @property
    def blocks(self) -> tuple[_Text | _ToolUse | _ToolResult, ...]:
        return (_Text(type="text", text=self.content),) if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        return "".join(one.text for one in self.blocks if isinstance(one, _Text))

    def turns(self) -> Iterator[Turn]:
        """None of what the system says."""
        if self.role == "system":
            return
        calls = tuple(
            ToolCall(id=one.id, name=one.name, arguments=canonical(one.input))
            for one in self.blocks
            if isinstance(one, _ToolUse)
        )
        for one in self.blocks:
            if isinstance(one, _ToolResult):
                yield Turn(role="tool", text=one.text, answers=one.tool_use_id)
        if self.text or calls:
            yield Turn(role=self.role, text=self.text, calls=calls)


class _Tool(Shape):
    type: Literal["custom"] | None = None
    name: str
    input_schema: dict[str, JsonValue]
    cache_control: dict[str, JsonValue] | None = None


class _Choice(Shape):
    type: Literal["auto", "any", "tool", "none"]
    name: str = ""


class _Format(Shape):
    type: Literal["json_schema"]
    schema_: dict[str, JsonValue] = Field(alias="schema")


class _Output(Shape):
    format: _Format | None = None


class _Request(Shape):
    model: str
    messages: tuple[_Message, ...]
    system: str | tuple[_Text, ...] = ""
    tools: tuple[_Tool, ...] = ()
    tool_choice: _Choice = _Choice(type="auto")
    output_config: _Output | None = None
    output_format: _Format | None = None
    cache_control: dict[str, JsonValue] | None = None
    max_tokens: int | None = None
    stream: bool = False

    @property
    def said(self) -> str:
        said = self.system if isinstance(self.system, str) else "".join(one.text for one in self.system)
        return "\n".join([said, *(one.text for one in self.messages if one.role == "system")])

    @property
    def asked_format(self) -> _Format | None:
        return self.output_format or (self.output_config.format if self.output_config else None)

    @property
    def marked(self) -> str:
        """The beginning that ends with the last block that is to be cached."""
        parts = [(f"{one.name}{canonical(one.input_schema)}", one.cache_control) for one in self.tools]
        parts += (
            [(self.system, None)]
            if isinstance(self.system, str)
            else [(one.text, one.cache_control) for one in self.system]
        )
        for one in self.messages:
            parts += [(block.model_dump_json(exclude={"cache_control"}), block.cache_control) for block in one.blocks]
        last = max((index for index, (_, mark) in enumerate(parts, 1) if mark is not None), default=0)
        return "\n".join(text for text, _ in parts[: len(parts) if self.cache_control is not None else last])


def fit(types: Types, given: dict[str, JsonValue]) -> None:
    """Hold a request against an edition of the API.

    Raises:
        Refusal: It does not fit.
    """
    if unknown := sorted(given.keys() - types.names):
        raise Refusal(Kind.MALFORMED, f"{unknown[0]}: Extra inputs are not permitted")
    reading.fit(types.asked, given)


def read(given: dict[str, JsonValue]) -> Asked:
    """A request that fits.

    Raises:
        Refusal: The conversation is none, or the twin does not know something in it.
    """
    asked = reading.read(_Request, given)
    _require_words(asked)
    turns = tuple(turn for one in asked.messages for turn in one.turns())
    reading.require_pairs(turns)
    shape = asked.asked_format
    return Asked(
        wire=WireName.ANTHROPIC,
        model=asked.model,
        system=asked.said,
        turns=turns,
        tools=tuple(Tool(name=one.name, schema=one.input_schema) for one in asked.tools),
        forced=asked.tool_choice.name,
        schema=shape.schema_ if shape else None,
        stream=asked.stream,
        limit=asked.max_tokens,
        marked=asked.marked,
    )


def _require_words(asked: _Request) -> None:
    """Refuse text without letters, as the provider does.

    Raises:
        Refusal: There is some.
    """
    if not asked.messages:
        raise Refusal(Kind.MALFORMED, "messages: at least one message is required")
    for index, message in enumerate(asked.messages):
        if any(isinstance(one, _Text) and not one.text for one in message.blocks):
            raise Refusal(Kind.MALFORMED, f"messages.{index}: text content blocks must be non-empty")
