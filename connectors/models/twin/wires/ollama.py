"""Ollama: its own API with lines of JSON, and beside it what it serves in the manner of OpenAI.

It forgets in silence what does not fit the model, filters nothing, and tells as text what it cannot read as a call.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import ClassVar, Final, Literal

from pydantic import Field, JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.models.twin.conversation import Asked, Played, Stop, Tool, ToolCall, Turn, WireName, canonical
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires import reading
from connectors.models.twin.wires.openai import OpenAIWire
from connectors.models.twin.wires.reading import Shape
from connectors.models.twin.wires.wire import Said, Wire, words
from connectors.twins.problems import bearer, carries

VERSION: Final = "0.17.4"
"""Of the server whose published description the twin is held to."""

_REFUSALS: Final[Mapping[Kind, tuple[int, str]]] = MappingProxyType(
    {
        Kind.MALFORMED: (400, "{}"),
        Kind.NO_KEY: (401, "unauthorized"),
        Kind.FORBIDDEN: (403, "this model requires a subscription: {}"),
        Kind.NO_MODEL: (404, "model '{}' not found"),
        Kind.TOO_LONG: (400, "the input length exceeds the context length"),
        Kind.RATE_LIMITED: (429, "too many requests"),
        Kind.OVERLOADED: (503, "server busy, please try again.  maximum pending requests exceeded"),
        Kind.FAILING: (500, "llama runner process has terminated: exit status 2"),
        Kind.UNKNOWN: (501, "{}"),
    }
)
_TYPES: Final[Mapping[int, str]] = MappingProxyType({400: "invalid_request_error", 404: "not_found_error"})
_STOPS: Final = {Stop.LIMIT: "length"}


class _Function(Shape):
    name: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    parameters: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class _Call(Shape):
    id: str = ""
    function: _Function


class _Message(Shape):
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: tuple[_Call, ...] = ()
    tool_name: str = ""


class _Tool(Shape):
    type: Literal["function"]
    function: _Function


class _Options(Shape):
    num_predict: int = -1


class _Request(Shape):
    model: str
    messages: tuple[_Message, ...] = ()
    tools: tuple[_Tool, ...] = ()
    format: Literal["", "json"] | dict[str, JsonValue] = ""
    options: _Options = _Options()
    stream: bool = True


class _Which(Shape):
    model: str


class OllamaWire(Wire):
    """The API of its own.

    Args:
        stage: Where the score is played.
        key: What a server in front of it wants; empty: nothing, as on one's own machine.
    """

    name: ClassVar[WireName] = WireName.OLLAMA
    events: ClassVar[str] = "application/x-ndjson"
    truncates: ClassVar[bool] = True

    def __init__(self, stage: Stage, key: str) -> None:
        super().__init__(stage)
        self._key = key

    def known(self) -> Mapping[tuple[str, str], Callable[[Request, bytes], Awaitable[Response]]]:
        """See `Wire`."""
        return {
            ("GET", "/api/version"): self._version,
            ("GET", "/api/tags"): self._tags,
            ("POST", "/api/show"): self._show,
            ("POST", "/api/chat"): self._chat,
        }

    def authorise(self, request: Request, body: bytes) -> None:
        """See `Wire`."""
        del body
        _require_key(request, self._key)

    def refusal(self, refused: Refusal) -> Said:
        """See `Wire`."""
        status, said = _refused(refused)
        return status, {}, json.dumps({"error": said}).encode()

    def shown(self, played: Played) -> Played:
        """See `Wire`."""
        return _as_ollama(played)

    async def _version(self, request: Request, body: bytes) -> Response:
        del request, body
        return JSONResponse({"version": VERSION})

    async def _tags(self, request: Request, body: bytes) -> Response:
        del request, body
        return JSONResponse({"models": [self._listed(one) for one in self.stage.models]})

    async def _show(self, request: Request, body: bytes) -> Response:
        del request
        model = self.stage.model(reading.taken(_Which, body).model)
        about = {"general.architecture": "score", "score.context_length": model.context}
        capabilities = ["completion", "tools"]
        return JSONResponse({"details": _details(), "model_info": about, "capabilities": capabilities})

    async def _chat(self, request: Request, body: bytes) -> Response:
        asked = reading.taken(_Request, body)
        predicted = asked.options.num_predict
        return await self.perform(
            request,
            Asked(
                wire=self.name,
                model=asked.model,
                system="\n".join(one.content for one in asked.messages if one.role == "system"),
                turns=_turns(asked.messages),
                tools=tuple(Tool(name=one.function.name, schema=one.function.parameters) for one in asked.tools),
                schema=({} if asked.format == "json" else asked.format) if asked.format else None,
                stream=asked.stream,
                limit=predicted if predicted > 0 else None,
            ),
        )

    def whole(self, asked: Asked, played: Played) -> JsonValue:
        """See `Wire`."""
        return self._last(asked, played, _message(played.text, played.calls))

    def pieces(self, asked: Asked, played: Played) -> Sequence[bytes]:
        """See `Wire`."""
        said = [_message(piece, ()) for piece in words(played.text)]
        said += [_message("", (one,)) for one in played.calls]
        frame = self._frame(asked)
        lines: list[JsonValue] = [{**frame, "message": one, "done": False} for one in said]
        lines.append(self._last(asked, played, _message("", ())))
        return [json.dumps(one).encode() + b"\n" for one in lines]

    def broken_off(self, refused: Refusal) -> bytes:
        """See `Wire`."""
        return self.refusal(refused)[2] + b"\n"

    def _frame(self, asked: Asked) -> dict[str, JsonValue]:
        return {
            "model": asked.model,
            "created_at": f"{datetime.fromtimestamp(self.stage.now(), UTC):%Y-%m-%dT%H:%M:%SZ}",
        }

    def _last(self, asked: Asked, played: Played, message: JsonValue) -> dict[str, JsonValue]:
        return {
            **self._frame(asked),
            "message": message,
            "done": True,
            "done_reason": _STOPS.get(played.stop, "stop"),
            "total_duration": 3_000_000,
            "load_duration": 1_000_000,
            "prompt_eval_count": played.usage.request,
            "prompt_eval_duration": 1_000_000,
            "eval_count": played.usage.output,
            "eval_duration": 1_000_000,
        }

    def _listed(self, model: str) -> dict[str, JsonValue]:
        return {
            "name": model,
            "model": model,
            "modified_at": "2026-01-02T03:04:05Z",
            "size": 1,
            "digest": "0" * 64,
            "details": _details(),
        }


class OllamaCompletions(OpenAIWire):
    """What it serves in the manner of OpenAI: it takes what it does not know, and keeps to no schema strictly."""

    name: ClassVar[WireName] = WireName.OLLAMA
    truncates: ClassVar[bool] = True
    strict: ClassVar[bool] = False
    owner: ClassVar[str] = "library"
    fingerprint: ClassVar[str] = "fp_ollama"

    def known(self) -> Mapping[tuple[str, str], Callable[[Request, bytes], Awaitable[Response]]]:
        """See `Wire`."""
        return {(method, path.removeprefix("/v1")): one for (method, path), one in super().known().items()}

    def authorise(self, request: Request, body: bytes) -> None:
        """See `Wire`."""
        del body
        _require_key(request, self._key)

    def refusal(self, refused: Refusal) -> Said:
        """See `Wire`."""
        status, said = _refused(refused)
        error: dict[str, JsonValue] = {
            "message": said,
            "type": _TYPES.get(status, "api_error"),
            "param": None,
            "code": None,
        }
        return status, {}, json.dumps({"error": error}).encode()

    def shown(self, played: Played) -> Played:
        """See `Wire`."""
        return _as_ollama(played)


def _require_key(request: Request, key: str) -> None:
    if key and not carries(request, "authorization", bearer(key)):
        raise Refusal(Kind.NO_KEY)


def _refused(refused: Refusal) -> tuple[int, str]:
    status, said = _REFUSALS[refused.kind]
    return status, said.replace("{}", refused.detail)


def _turns(messages: Sequence[_Message]) -> tuple[Turn, ...]:
    return tuple(
        Turn(
            role=one.role,
            text=one.content,
            calls=tuple(
                ToolCall(id=call.id, name=call.function.name, arguments=canonical(call.function.arguments))
                for call in one.tool_calls
            ),
        )
        for one in messages
        if one.role != "system"
    )


def _message(text: str, calls: Sequence[ToolCall]) -> dict[str, JsonValue]:
    told: list[JsonValue] = [
        {
            "id": f"call_{one.id}",
            "function": {"index": index, "name": one.name, "arguments": json.loads(one.arguments)},
        }
        for index, one in enumerate(calls)
    ]
    return {"role": "assistant", "content": text, **({"tool_calls": told} if told else {})}


def _as_ollama(played: Played) -> Played:
    """It filters nothing, and what it cannot read as a call is text."""
    broken = [f'{{"name": "{one.name}", "arguments": {one.arguments}' for one in played.calls if one.broken]
    calls = tuple(one for one in played.calls if not one.broken)
    stop = Stop.CALLS if calls else Stop.LIMIT if played.stop is Stop.LIMIT else Stop.END
    return replace(played, text="".join([played.text, *broken]), calls=calls, stop=stop)


def _details() -> dict[str, JsonValue]:
    return {"format": "gguf", "family": "score", "parameter_size": "0", "quantization_level": "F16"}
