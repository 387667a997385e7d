"""A request for Converse that fits the service, read as far as the twin needs it."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from connectors.models.twin.conversation import Asked, Tool, ToolCall, Turn, WireName, canonical
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.wires import reading
from connectors.models.twin.wires.reading import Shape


class _ToolUse(Shape):
    id: str = Field(alias="toolUseId")
    name: str
    input: JsonValue


class _Result(Shape):
    text: str | None = None
    content: JsonValue = Field(default=None, alias="json")


class _ToolResult(Shape):
    id: str = Field(alias="toolUseId")
    content: tuple[_Result, ...]

    @property
    def text(self) -> str:
        return "".join(one.text if one.text is not None else canonical(one.content) for one in self.content)


class _Block(BaseModel):
    """One of these; the twin knows no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str | None = None
    tool_use: _ToolUse | None = Field(default=None, alias="toolUse")
    tool_result: _ToolResult | None = Field(default=None, alias="toolResult")
    cache_point: dict[str, JsonValue] | None = Field(default=None, alias="cachePoint")


class _Message(Shape):
    role: Literal["user", "assistant"]
    content: tuple[_Block, ...]

    def turns(self) -> Iterator[Turn]:
        text = "".join(one.text or "" for one in self.content)
        used = [one.tool_use for one in self.content if one.tool_use is not None]
        for one in self.content:
            if one.tool_result is not None:
                yield Turn(role="tool", text=one.tool_result.text, answers=one.tool_result.id)
        calls = tuple(ToolCall(id=one.id, name=one.name, arguments=canonical(one.input)) for one in used)
        if text or calls:
            yield Turn(role=self.role, text=text, calls=calls)


class _InputSchema(Shape):
    content: JsonValue = Field(alias="json")


class _ToolSpec(Shape):
    name: str
    schema_: _InputSchema = Field(alias="inputSchema")


class _Tool(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: _ToolSpec | None = Field(default=None, alias="toolSpec")
    cache_point: dict[str, JsonValue] | None = Field(default=None, alias="cachePoint")


class _Named(Shape):
    name: str = ""


class _Choice(Shape):
    tool: _Named = _Named()


class _ToolConfig(Shape):
    tools: tuple[_Tool, ...]
    choice: _Choice = Field(default=_Choice(), alias="toolChoice")


class _Inference(Shape):
    limit: int | None = Field(default=None, alias="maxTokens")


class _JsonSchema(Shape):
    schema_: str = Field(alias="schema")


class _Structure(Shape):
    schema_: _JsonSchema = Field(alias="jsonSchema")


class _Format(Shape):
    structure: _Structure


class _Output(Shape):
    format: _Format | None = Field(default=None, alias="textFormat")


class _Request(Shape):
    messages: tuple[_Message, ...] = ()
    system: tuple[_Block, ...] = ()
    tools: _ToolConfig | None = Field(default=None, alias="toolConfig")
    inference: _Inference = Field(default=_Inference(), alias="inferenceConfig")
    output: _Output = Field(default=_Output(), alias="outputConfig")

    @property
    def schema_(self) -> JsonValue:
        if self.output.format is None:
            return None
        return reading.json_object(self.output.format.structure.schema_.schema_.encode())

    @property
    def specs(self) -> list[_ToolSpec]:
        return [one.spec for one in self.tools.tools if one.spec is not None] if self.tools else []

    @property
    def marked(self) -> str:
        """The beginning before the last point up to which it is to be cached."""
        offered = self.tools.tools if self.tools else ()
        blocks = [*self.system, *(one for message in self.messages for one in message.content)]
        parts: list[_Tool | _Block] = [*offered, *blocks]
        last = max((index for index, one in enumerate(parts) if one.cache_point is not None), default=0)
        return "\n".join(one.model_dump_json() for one in parts[:last] if one.cache_point is None)


def read(model: str, given: dict[str, JsonValue], *, stream: bool) -> Asked:
    """A request.

    Args:
        model: By its id.
        given: Its body.
        stream: Whether in pieces.

    Raises:
        Refusal: The conversation is none, or the twin does not know something in it.
    """
    asked = reading.read(_Request, given)
    turns = tuple(turn for one in asked.messages for turn in one.turns())
    _require_words(asked, turns)
    reading.require_pairs(turns)
    return Asked(
        wire=WireName.BEDROCK,
        model=model,
        system="".join(one.text or "" for one in asked.system),
        turns=turns,
        tools=tuple(Tool(name=one.name, schema=one.schema_.content) for one in asked.specs),
        forced=asked.tools.choice.tool.name if asked.tools else "",
        schema=asked.schema_,
        stream=stream,
        limit=asked.inference.limit,
        marked=asked.marked,
    )


def _require_words(asked: _Request, turns: Sequence[Turn]) -> None:
    """What the description does not say of a conversation.

    Raises:
        Refusal: Something of it is not so.
    """
    if not turns:
        raise Refusal(Kind.MALFORMED, "A conversation must start with a user message.")
    for index, message in enumerate(asked.messages):
        if any(one.text is not None and not one.text.strip() for one in message.content):
            raise Refusal(Kind.MALFORMED, f"The text field in the ContentBlock object at messages.{index} is blank.")
    if asked.tools is None and any(one.calls or one.role == "tool" for one in turns):
        raise Refusal(
            Kind.MALFORMED, "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        )
