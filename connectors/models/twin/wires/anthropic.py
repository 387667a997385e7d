"""Anthropic's messages."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal

from anthropic.types import Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaMessageTokensCount, BetaRawMessageStreamEvent
from anthropic.types.beta.message_count_tokens_params import MessageCountTokensParams as BetaCountParams
from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming as BetaWholeParams
from anthropic.types.beta.message_create_params import MessageCreateParamsStreaming as BetaStreamParams
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from pydantic import Field, JsonValue, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.models.twin.conversation import Asked, Played, Stop, Tool, ToolCall, Turn, Usage, WireName, canonical
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires import reading
from connectors.models.twin.wires.reading import Shape
from connectors.models.twin.wires.wire import Said, Wire, splinters, words
from connectors.twins.problems import bearer, carries


@dataclass(frozen=True)
class _Types:
    """The SDK's, of one edition of the API."""

    asked: TypeAdapter[Any]
    names: frozenset[str]
    counted: TypeAdapter[Any]
    count: TypeAdapter[Any]
    whole: TypeAdapter[Any]
    event: TypeAdapter[Any]


# The SDK's types have lost them, and the API still takes them for older models.
_SAMPLING: Final = ("temperature", "top_p", "top_k")
_STABLE: Final = _Types(
    asked=TypeAdapter(MessageCreateParamsNonStreaming | MessageCreateParamsStreaming),
    names=frozenset(
        {*MessageCreateParamsNonStreaming.__annotations__, *MessageCreateParamsStreaming.__annotations__, *_SAMPLING}
    ),
    counted=TypeAdapter(MessageCountTokensParams),
    count=TypeAdapter(MessageTokensCount),
    whole=TypeAdapter(Message),
    event=TypeAdapter(RawMessageStreamEvent),
)
_BETA: Final = _Types(
    asked=TypeAdapter(BetaWholeParams | BetaStreamParams),
    names=frozenset({*BetaWholeParams.__annotations__, *BetaStreamParams.__annotations__, *_SAMPLING} - {"betas"}),
    counted=TypeAdapter(BetaCountParams),
    count=TypeAdapter(BetaMessageTokensCount),
    whole=TypeAdapter(BetaMessage),
    event=TypeAdapter(BetaRawMessageStreamEvent),
)
_LISTED: Final = TypeAdapter(ModelInfo)

_STOPS: Final = {
    Stop.END: "end_turn",
    Stop.CALLS: "tool_use",
    Stop.LIMIT: "max_tokens",
    Stop.FILTERED: "refusal",
    Stop.REFUSED: "refusal",
}
_REFUSALS: Final[Mapping[Kind, tuple[int, str, str]]] = MappingProxyType(
    {
        Kind.MALFORMED: (400, "invalid_request_error", "{}"),
        Kind.NO_KEY: (401, "authentication_error", "invalid x-api-key"),
        Kind.FORBIDDEN: (403, "permission_error", "Your API key does not have permission to use the model {}"),
        Kind.NO_MODEL: (404, "not_found_error", "model: {}"),
        Kind.TOO_LONG: (400, "invalid_request_error", "prompt is too long: {} maximum"),
        Kind.RATE_LIMITED: (429, "rate_limit_error", "This request would exceed your account's rate limit."),
        Kind.OVERLOADED: (529, "overloaded_error", "Overloaded"),
        Kind.FAILING: (500, "api_error", "Internal server error"),
        Kind.UNKNOWN: (501, "api_error", "{}"),
    }
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


class AnthropicWire(Wire):
    """Messages, the count of their tokens, and the list of models.

    Args:
        stage: Where the score is played.
        key: The API key.
    """

    name: ClassVar[WireName] = WireName.ANTHROPIC
    events: ClassVar[str] = "text/event-stream"

    def __init__(self, stage: Stage, key: str) -> None:
        super().__init__(stage)
        self._key = key

    def known(self) -> Mapping[tuple[str, str], Callable[[Request, bytes], Awaitable[Response]]]:
        """See `Wire`."""
        return {
            ("POST", "/v1/messages"): self._create,
            ("POST", "/v1/messages/count_tokens"): self._count,
            ("GET", "/v1/models"): self._models,
            ("GET", "/v1/models/{model:path}"): self._model,
        }

    def authorise(self, request: Request, body: bytes) -> None:
        """See `Wire`."""
        del body
        if not (carries(request, "x-api-key", self._key) or carries(request, "authorization", bearer(self._key))):
            raise Refusal(Kind.NO_KEY)
        if "anthropic-version" not in request.headers:
            raise Refusal(Kind.MALFORMED, "anthropic-version: header is required")

    def refusal(self, refused: Refusal) -> Said:
        """See `Wire`."""
        status, kind, said = _REFUSALS[refused.kind]
        error = {"type": kind, "message": said.replace("{}", refused.detail)}
        return status, {"request-id": "req_refused"}, json.dumps({"type": "error", "error": error}).encode()

    def headers(self, number: int) -> Mapping[str, str]:
        """See `Wire`."""
        return {"request-id": f"req_{number:08d}"}

    async def _create(self, request: Request, body: bytes) -> Response:
        given, types = reading.json_object(body), _types(request)
        if unknown := sorted(given.keys() - types.names):
            raise Refusal(Kind.MALFORMED, f"{unknown[0]}: Extra inputs are not permitted")
        reading.fit(types.asked, given)
        return await self.perform(request, self._read(given))

    async def _count(self, request: Request, body: bytes) -> Response:
        given, types = reading.json_object(body), _types(request)
        reading.fit(types.counted, given)
        asked = self._read(given)
        self.stage.model(asked.model)
        return JSONResponse(reading.told(types.count, _counted(asked, beta=types is _BETA)))

    def _read(self, given: dict[str, JsonValue]) -> Asked:
        asked = reading.read(_Request, given)
        _require_words(asked)
        turns = tuple(turn for one in asked.messages for turn in one.turns())
        reading.require_pairs(turns)
        shape = asked.asked_format
        return Asked(
            wire=self.name,
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

    def whole(self, asked: Asked, played: Played) -> JsonValue:
        """See `Wire`."""
        content: list[JsonValue] = [{"type": "text", "text": played.text}] if played.text else []
        content += [{**_use(one), "input": {} if one.broken else json.loads(one.arguments)} for one in played.calls]
        broken = any(one.broken for one in played.calls)
        stop = Stop.LIMIT if broken else played.stop
        body: dict[str, JsonValue] = {**self._message(asked, played), "content": content, "stop_reason": _STOPS[stop]}
        reading.told(_BETA.whole, body)
        return reading.told(_STABLE.whole, body)

    def pieces(self, asked: Asked, played: Played) -> Sequence[bytes]:
        """See `Wire`."""
        begun = self._message(asked, played)
        begun["usage"] = {**_usage(played.usage), "output_tokens": 1}
        events: list[dict[str, JsonValue]] = [{"type": "message_start", "message": begun}]
        blocks = [(_text(), [_words(piece) for piece in words(played.text)])] if played.text else []
        blocks += [
            ({**_use(one), "input": {}}, [_arguments(piece) for piece in splinters(one.arguments)])
            for one in played.calls
        ]
        for index, (block, deltas) in enumerate(blocks):
            events.append({"type": "content_block_start", "index": index, "content_block": block})
            events.extend({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
            events.append({"type": "content_block_stop", "index": index})
        stop: dict[str, JsonValue] = {"stop_reason": _STOPS[played.stop], "stop_sequence": None}
        events.append({"type": "message_delta", "delta": stop, "usage": _usage(played.usage)})
        events.append({"type": "message_stop"})
        for one in events:
            reading.told(_BETA.event, one)
        written = [_event(reading.told(_STABLE.event, one)) for one in events]
        return [written[0], _event({"type": "ping"}), *written[1:]]

    def broken_off(self, refused: Refusal) -> bytes:
        """See `Wire`."""
        return b"event: error\ndata: " + self.refusal(refused)[2] + b"\n\n"

    def _message(self, asked: Asked, played: Played) -> dict[str, JsonValue]:
        return {
            "id": f"msg_{played.number:08d}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(played.usage),
        }

    async def _models(self, request: Request, body: bytes) -> Response:
        del request, body
        listed = [self._listed(one) for one in self.stage.models]
        ends = (
            {"first_id": listed[0]["id"], "last_id": listed[-1]["id"]}
            if listed
            else {"first_id": None, "last_id": None}
        )
        return JSONResponse({"data": listed, "has_more": False, **ends})

    async def _model(self, request: Request, body: bytes) -> Response:
        del body
        return JSONResponse(self._listed(self.stage.model(request.path_params["model"]).id))

    def _listed(self, model: str) -> dict[str, JsonValue]:
        offered = self.stage.models[model]
        body: dict[str, JsonValue] = {
            "id": model,
            "type": "model",
            "display_name": model,
            "created_at": "2026-01-02T03:04:05Z",
            "lifecycle": "active",
            "max_input_tokens": offered.context,
            "max_tokens": offered.output,
        }
        return reading.told(_LISTED, body)


def _types(request: Request) -> _Types:
    return _BETA if request.query_params.get("beta") == "true" else _STABLE


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


def _counted(asked: Asked, *, beta: bool) -> dict[str, JsonValue]:
    counted: dict[str, JsonValue] = {"input_tokens": asked.tokens}
    return {**counted, "context_management": None} if beta else counted


def _use(call: ToolCall) -> dict[str, JsonValue]:
    return {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name}


def _text() -> dict[str, JsonValue]:
    return {"type": "text", "text": ""}


def _words(piece: str) -> dict[str, JsonValue]:
    return {"type": "text_delta", "text": piece}


def _arguments(piece: str) -> dict[str, JsonValue]:
    return {"type": "input_json_delta", "partial_json": piece}


def _usage(usage: Usage) -> dict[str, JsonValue]:
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
    }


def _event(content: Mapping[str, JsonValue]) -> bytes:
    return f"event: {content['type']}\ndata: {json.dumps(content)}\n\n".encode()
