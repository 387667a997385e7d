"""OpenAI's chat completions, as OpenAI and all that are compatible with it serve them."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal

from openai.types import Model as ListedModel
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParams,
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import Field, JsonValue, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.models.twin.conversation import Asked, Played, Stop, Tool, ToolCall, Turn, Usage, WireName
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires import reading
from connectors.models.twin.wires.reading import Shape
from connectors.models.twin.wires.wire import Said, Wire, splinters, words
from connectors.twins.problems import bearer, carries

_PARAMS: Final[TypeAdapter[Any]] = TypeAdapter(CompletionCreateParams)
_WHOLE: Final = TypeAdapter(ChatCompletion)
_CHUNK: Final = TypeAdapter(ChatCompletionChunk)
_MODEL: Final = TypeAdapter(ListedModel)
_NAMES: Final = {*CompletionCreateParamsNonStreaming.__annotations__, *CompletionCreateParamsStreaming.__annotations__}
_FUNCTION: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DONE: Final = b"data: [DONE]\n\n"

_STOPS: Final = {
    Stop.END: "stop",
    Stop.CALLS: "tool_calls",
    Stop.LIMIT: "length",
    Stop.FILTERED: "content_filter",
    Stop.REFUSED: "stop",
}
_Words = tuple[int, str, str | None, str | None, str]
_REFUSALS: Final[Mapping[Kind, _Words]] = MappingProxyType(
    {
        # status, type, param, code, message
        Kind.MALFORMED: (400, "invalid_request_error", None, None, "Invalid request: {}"),
        Kind.NO_KEY: (401, "invalid_request_error", None, "invalid_api_key", "Incorrect API key provided."),
        Kind.FORBIDDEN: (
            403,
            "invalid_request_error",
            None,
            "model_not_found",
            "Project does not have access to model `{}`",
        ),
        Kind.NO_MODEL: (
            404,
            "invalid_request_error",
            None,
            "model_not_found",
            "The model `{}` does not exist or you do not have access to it.",
        ),
        Kind.TOO_LONG: (
            400,
            "invalid_request_error",
            "messages",
            "context_length_exceeded",
            "This model's maximum context length was exceeded ({}). Please reduce the length of the messages.",
        ),
        Kind.RATE_LIMITED: (429, "requests", None, "rate_limit_exceeded", "Rate limit reached for requests."),
        Kind.OVERLOADED: (
            503,
            "server_error",
            None,
            None,
            "The engine is currently overloaded, please try again later.",
        ),
        Kind.FAILING: (500, "server_error", None, None, "The server had an error while processing your request."),
        Kind.UNKNOWN: (501, "invalid_request_error", None, None, "{}"),
    }
)


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


class OpenAIWire(Wire):
    """Chat completions and the list of models.

    Args:
        stage: Where the score is played.
        key: The API key.
    """

    name: ClassVar[WireName] = WireName.OPENAI
    events: ClassVar[str] = "text/event-stream"
    strict: ClassVar[bool] = True
    """Whether it refuses arguments that nobody knows, schemas that it cannot keep to, and calls without results."""
    owner: ClassVar[str] = "openai"
    fingerprint: ClassVar[str] = "fp_score"

    def __init__(self, stage: Stage, key: str) -> None:
        super().__init__(stage)
        self._key = key

    def known(self) -> Mapping[tuple[str, str], Callable[[Request, bytes], Awaitable[Response]]]:
        """See `Wire`."""
        return {
            ("POST", "/v1/chat/completions"): self._complete,
            ("GET", "/v1/models"): self._models,
            ("GET", "/v1/models/{model:path}"): self._model,
        }

    def authorise(self, request: Request, body: bytes) -> None:
        """See `Wire`."""
        del body
        if not carries(request, "authorization", bearer(self._key)):
            raise Refusal(Kind.NO_KEY)

    def refusal(self, refused: Refusal) -> Said:
        """See `Wire`."""
        status, kind, param, code, said = _REFUSALS[refused.kind]
        error: dict[str, JsonValue] = {
            "message": said.replace("{}", refused.detail),
            "type": kind,
            "param": param,
            "code": code,
        }
        return status, {}, json.dumps({"error": error}).encode()

    def headers(self, number: int) -> Mapping[str, str]:
        """See `Wire`."""
        return {"x-request-id": f"req_{number:08d}"}

    async def _complete(self, request: Request, body: bytes) -> Response:
        return await self.perform(request, self.read(reading.json_object(body)))

    def read(self, given: dict[str, JsonValue]) -> Asked:
        """A request.

        Raises:
            Refusal: It does not fit OpenAI's types, or the twin does not know something in it.
        """
        if self.strict and (unknown := sorted(given.keys() - _NAMES)):
            raise Refusal(Kind.MALFORMED, f"Unrecognized request argument supplied: {', '.join(unknown)}")
        reading.fit(_PARAMS, given)
        asked = reading.read(_Request, given)
        if not asked.messages:
            raise Refusal(Kind.MALFORMED, "messages: at least one is needed")
        system = [one.text for one in asked.messages if one.role in {"system", "developer"}]
        turns = tuple(turn for one in asked.messages if (turn := one.turn()) is not None)
        if self.strict:
            _require_tools(asked)
            reading.require_pairs(turns)
        choice = asked.tool_choice
        return Asked(
            wire=self.name,
            model=asked.model,
            system="\n".join(system),
            turns=turns,
            tools=tuple(Tool(name=one.function.name, schema=one.function.parameters) for one in asked.tools),
            forced=choice.function.name if isinstance(choice, _Choice) else "",
            schema=asked.schema_,
            stream=bool(asked.stream),
            limit=asked.max_completion_tokens or asked.max_tokens,
            usage=asked.stream_options is not None and asked.stream_options.include_usage,
        )

    def whole(self, asked: Asked, played: Played) -> JsonValue:
        """See `Wire`."""
        calls: list[JsonValue] = [_call(one) for one in played.calls]
        refused = played.stop is Stop.REFUSED
        message: dict[str, JsonValue] = {
            "role": "assistant",
            "content": None if refused else played.text or (None if calls else ""),
            "refusal": played.text if refused else None,
            **({"tool_calls": calls} if calls else {}),
        }
        choice: dict[str, JsonValue] = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _STOPS[played.stop],
        }
        body = self._frame(asked, played, "chat.completion")
        return reading.told(_WHOLE, {**body, "choices": [choice], "usage": _usage(played.usage)})

    def pieces(self, asked: Asked, played: Played) -> Sequence[bytes]:
        """See `Wire`."""
        frame = self._frame(asked, played, "chat.completion.chunk")
        deltas: list[dict[str, JsonValue]] = [{"role": "assistant", "content": "", "refusal": None}]
        said = "refusal" if played.stop is Stop.REFUSED else "content"
        deltas.extend({said: piece} for piece in words(played.text))
        for index, one in enumerate(played.calls):
            first: dict[str, JsonValue] = {"index": index, **_call(one, arguments="")}
            deltas.append({"tool_calls": [first]})
            deltas.extend(
                {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
                for piece in splinters(one.arguments)
            )
        chunks = [_chunk(frame, delta, None) for delta in deltas]
        chunks.append(_chunk(frame, {}, _STOPS[played.stop]))
        if asked.usage:
            chunks.append({**frame, "choices": [], "usage": _usage(played.usage)})
        return [*(_event(reading.told(_CHUNK, one)) for one in chunks), _DONE]

    def broken_off(self, refused: Refusal) -> bytes:
        """See `Wire`."""
        return b"data: " + self.refusal(refused)[2] + b"\n\n"

    def _frame(self, asked: Asked, played: Played, kind: str) -> dict[str, JsonValue]:
        return {
            "id": f"chatcmpl-{played.number:08d}",
            "object": kind,
            "created": self.stage.now(),
            "model": asked.model,
            "system_fingerprint": self.fingerprint,
        }

    async def _models(self, request: Request, body: bytes) -> Response:
        del request, body
        return JSONResponse({"object": "list", "data": [self._listed(one) for one in self.stage.models]})

    async def _model(self, request: Request, body: bytes) -> Response:
        del body
        return JSONResponse(self._listed(self.stage.model(request.path_params["model"]).id))

    def _listed(self, model: str) -> dict[str, JsonValue]:
        return reading.told(_MODEL, {"id": model, "object": "model", "created": 1_700_000_000, "owned_by": self.owner})


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


def _call(call: ToolCall, *, arguments: str | None = None) -> dict[str, JsonValue]:
    function: dict[str, JsonValue] = {
        "name": call.name,
        "arguments": call.arguments if arguments is None else arguments,
    }
    return {"id": f"call_{call.id}", "type": "function", "function": function}


def _chunk(frame: dict[str, JsonValue], delta: dict[str, JsonValue], finish: str | None) -> dict[str, JsonValue]:
    choice: dict[str, JsonValue] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**frame, "choices": [choice]}


def _usage(usage: Usage) -> dict[str, JsonValue]:
    return {
        "prompt_tokens": usage.request,
        "completion_tokens": usage.output,
        "total_tokens": usage.request + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _event(chunk: Mapping[str, JsonValue]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
