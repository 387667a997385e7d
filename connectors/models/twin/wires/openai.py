"""OpenAI's chat completions, as OpenAI and all that are compatible with it serve them."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from openai.types import Model as ListedModel
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import JsonValue, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.models.twin.conversation import Asked, Played, Stop, ToolCall, Usage, WireName
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires import completions, reading
from connectors.models.twin.wires.wire import Said, Wire, splinters, words
from connectors.twins.problems import bearer, carries

_WHOLE: Final = TypeAdapter(ChatCompletion)
_CHUNK: Final = TypeAdapter(ChatCompletionChunk)
_MODEL: Final = TypeAdapter(ListedModel)
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
        return await self.perform(
            request, completions.read(reading.json_object(body), wire=self.name, strict=self.strict)
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
