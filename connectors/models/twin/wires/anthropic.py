"""Anthropic's messages."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from anthropic.types import ModelInfo
from pydantic import JsonValue, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.models.twin.conversation import Asked, Played, Stop, ToolCall, Usage, WireName
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires import messages, reading
from connectors.models.twin.wires.messages import BETA, STABLE, Types
from connectors.models.twin.wires.wire import Said, Wire, splinters, words
from connectors.twins.problems import bearer, carries

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
        messages.fit(types, given)
        return await self.perform(request, messages.read(given))

    async def _count(self, request: Request, body: bytes) -> Response:
        given, types = reading.json_object(body), _types(request)
        reading.fit(types.counted, given)
        asked = messages.read(given)
        self.stage.model(asked.model)
        return JSONResponse(reading.told(types.count, _counted(asked, beta=types is BETA)))

    def whole(self, asked: Asked, played: Played) -> JsonValue:
        """See `Wire`."""
        content: list[JsonValue] = [{"type": "text", "text": played.text}] if played.text else []
        content += [{**_use(one), "input": {} if one.broken else json.loads(one.arguments)} for one in played.calls]
        broken = any(one.broken for one in played.calls)
        stop = Stop.LIMIT if broken else played.stop
        body: dict[str, JsonValue] = {**self._message(asked, played), "content": content, "stop_reason": _STOPS[stop]}
        reading.told(BETA.whole, body)
        return reading.told(STABLE.whole, body)

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
            reading.told(BETA.event, one)
        written = [_event(reading.told(STABLE.event, one)) for one in events]
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


def _types(request: Request) -> Types:
    return BETA if request.query_params.get("beta") == "true" else STABLE


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
