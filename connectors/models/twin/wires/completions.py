"""A request for a chat completion: held against the types of OpenAI's SDK, and read as far as the twin needs it."""

import re
from typing import Any, Final, Literal

from openai.types.chat.completion_create_params import (
    CompletionCreateParams,
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import Field, JsonValue, TypeAdapter

from connectors.models.twin.conversation import Asked, Tool, ToolCall, Turn, WireName
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.wires import reading
from connectors.models.twin.wires.reading import Shape

_PARAMS: Final[TypeAdapter[Any]] = TypeAdapter(CompletionCreateParams)
_NAMES: Final = {*CompletionCreateParamsNonStreaming.__annotations__, *CompletionCreateParamsStreaming.__annotations__}
_FUNCTION: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _Part(Shape):
    type: Literal["text"]
    text: str


class _Function(Shape):
    name: str
    arguments: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    strict: bool | None = None


class _Call(Shape):
    id: str
    function: _Function


class _Message(Shape):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | tuple[_Part, ...] | None = None
    tool_calls: tuple[_Call, ...] | None = None
    tool_call_id: str = ""
    refusal: str | None = None

    @property
    def text(self) -> str:
        content = self.content if self.content is not None else self.refusal
        return content or "" if isinstance(content, str | None) else "".join(one.text for one in content)

    def turn(self) -> Turn | None:
        """None of what the system says."""
        if self.role == "system" or self.role == "developer":  # noqa: PLR1714 - the type is narrowed so
            return None
        calls = tuple(
            ToolCall(id=one.id, name=one.function.name, arguments=reading.compact(one.function.arguments))
            for one in self.tool_calls or ()
        )
        return Turn(role=self.role, text=self.text, calls=calls, answers=self.tool_call_id)


class _Tool(Shape):
    type: Literal["function"]
    function: _Function


class _Schema(Shape):
    name: str
    schema_: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue], alias="schema")
    strict: bool | None = None


class _Format(Shape):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class _Choice(Shape):
    function: _Function


class _Options(Shape):
    include_usage: bool = False


class _Request(Shape):
    model: str
    messages: tuple[_Message, ...]
    tools: tuple[_Tool, ...] = ()
    tool_choice: Literal["none", "auto", "required"] | _Choice = "auto"
    response_format: _Format = _Format(type="text")
    stream: bool | None = None
    stream_options: _Options | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: Literal[1] | None = None

    @property
    def schema_(self) -> JsonValue:
        schema = self.response_format.json_schema
        return schema.schema_ if schema else {} if self.response_format.type == "json_object" else None


def read(given: dict[str, JsonValue], *, wire: WireName, strict: bool) -> Asked:
    """A request.

    Args:
        given: Its body.
        wire: Over which it came.
        strict: Whether unknown arguments, schemas that cannot be kept to, and calls without results are refused. Who
            does not overlooks `max_completion_tokens`, as Ollama does, which knows `max_tokens` alone.

    Raises:
        Refusal: It does not fit OpenAI's types, or the twin does not know something in it.
    """
    if strict and (unknown := sorted(given.keys() - _NAMES)):
        raise Refusal(Kind.MALFORMED, f"Unrecognized request argument supplied: {', '.join(unknown)}")
    reading.fit(_PARAMS, given)
    asked = reading.read(_Request, given)
    if not asked.messages:
        raise Refusal(Kind.MALFORMED, "messages: at least one is needed")
    turns = tuple(turn for one in asked.messages if (turn := one.turn()) is not None)
    if strict:
        _require_tools(asked)
        reading.require_pairs(turns)
    choice = asked.tool_choice
    return Asked(
        wire=wire,
        model=asked.model,
        system="\n".join(one.text for one in asked.messages if one.role in {"system", "developer"}),
        turns=turns,
        tools=tuple(Tool(name=one.function.name, schema=one.function.parameters) for one in asked.tools),
        forced=choice.function.name if isinstance(choice, _Choice) else "",
        schema=asked.schema_,
        stream=bool(asked.stream),
        limit=(strict and asked.max_completion_tokens) or asked.max_tokens,
        usage=asked.stream_options is not None and asked.stream_options.include_usage,
    )


def _require_tools(asked: _Request) -> None:
    """What the types do not say of names and schemas.

    Raises:
        Refusal: Something of it is not so.
    """
    for index, one in enumerate(asked.tools):
        if not _FUNCTION.fullmatch(one.function.name):
            raise Refusal(Kind.MALFORMED, f"tools.{index}.function.name: expected ^[a-zA-Z0-9_-]{{1,64}}$")
        if one.function.strict:
            _require_strict(one.function.parameters, f"tools.{index}.function.parameters")
    schema = asked.response_format.json_schema
    if schema is not None and schema.strict:
        _require_strict(schema.schema_, f"response_format {schema.name!r}")


def _require_strict(schema: JsonValue, at: str) -> None:
    """Refuse a schema that cannot be kept to strictly: every object must require all it has, and take nothing else.

    Raises:
        Refusal: It is one.
    """
    if isinstance(schema, list):
        for one in schema:
            _require_strict(one, at)
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    if schema.get("type") == "object" and isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            raise Refusal(Kind.MALFORMED, f"{at}: 'additionalProperties' is required to be supplied and to be false")
        required = schema.get("required")
        if missing := sorted(properties.keys() - (set(map(str, required)) if isinstance(required, list) else set())):
            raise Refusal(Kind.MALFORMED, f"{at}: 'required' must include every key in properties. Missing: {missing}")
    for one in schema.values():
        _require_strict(one, at)
