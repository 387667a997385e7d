"""Bedrock's Converse, whole and as an event stream, held against botocore's own model of the service."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.models.twin.conversation import Asked, Played, Stop, ToolCall, Usage, WireName
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires import converse, eventstream, reading
from connectors.models.twin.wires.service import service
from connectors.models.twin.wires.signature import NotSigned, Signer
from connectors.models.twin.wires.wire import Said, Wire, splinters, words
from connectors.twins.problems import bearer, carries

SERVICE: Final = "bedrock"
_CODE: Final = "x-amzn-ErrorType"

_STOPS: Final = {
    Stop.END: "end_turn",
    Stop.CALLS: "tool_use",
    Stop.LIMIT: "max_tokens",
    Stop.FILTERED: "content_filtered",
    Stop.REFUSED: "content_filtered",
}
_REFUSALS: Final[Mapping[Kind, tuple[int, str, str]]] = MappingProxyType(
    {
        Kind.MALFORMED: (400, "ValidationException", "{}"),
        Kind.NO_KEY: (403, "UnrecognizedClientException", "The security token included in the request is invalid."),
        Kind.FORBIDDEN: (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        Kind.NO_MODEL: (400, "ValidationException", "The provided model identifier is invalid."),
        Kind.TOO_LONG: (400, "ValidationException", "Input is too long for requested model."),
        Kind.RATE_LIMITED: (429, "ThrottlingException", "Too many requests, please wait before trying again."),
        Kind.OVERLOADED: (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
        Kind.FAILING: (500, "InternalServerException", "The system encountered an unexpected error."),
        Kind.UNKNOWN: (501, "UnknownOperationException", "{}"),
    }
)


class AwsKey(BaseModel):
    """What signs: an access key, or in its place a key of Bedrock's own as a bearer token.

    Attributes:
        access_key: Its id.
        secret_key: Its secret.
        region: Where it may be used.
        token: Bedrock's own; empty: there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    access_key: str
    secret_key: str = Field(repr=False)
    region: str = "eu-central-1"
    token: str = Field(default="", repr=False)


class BedrockWire(Wire):
    """Converse, ConverseStream and CountTokens.

    Args:
        stage: Where the score is played.
        key: Who may call.
    """

    name: ClassVar[WireName] = WireName.BEDROCK
    events: ClassVar[str] = eventstream.MEDIA_TYPE

    def __init__(self, stage: Stage, key: AwsKey) -> None:
        super().__init__(stage)
        self._service, self._token = service(), key.token
        self._signer = Signer(access_key=key.access_key, secret_key=key.secret_key, region=key.region, service=SERVICE)

    def known(self) -> Mapping[tuple[str, str], Callable[[Request, bytes], Awaitable[Response]]]:
        """See `Wire`."""
        return {
            ("POST", "/model/{model:path}/converse"): self._converse,
            ("POST", "/model/{model:path}/converse-stream"): self._stream,
            ("POST", "/model/{model:path}/count-tokens"): self._count,
        }

    def authorise(self, request: Request, body: bytes) -> None:
        """See `Wire`."""
        if self._token and carries(request, "authorization", bearer(self._token)):
            return
        try:
            self._signer.require(request, body)
        except NotSigned as error:
            raise _Unsigned(error) from error

    def refusal(self, refused: Refusal) -> Said:
        """See `Wire`."""
        status, code, said = _REFUSALS[refused.kind]
        if isinstance(refused, _Unsigned):
            code, said = refused.code, refused.detail
        body = json.dumps({"message": said.replace("{}", refused.detail)}).encode()
        return status, {_CODE: code, "x-amzn-RequestId": "refused"}, body

    def headers(self, number: int) -> Mapping[str, str]:
        """See `Wire`."""
        return {"x-amzn-RequestId": f"{number:08d}"}

    async def _converse(self, request: Request, body: bytes) -> Response:
        return await self.perform(request, self._read("Converse", request, body, stream=False))

    async def _stream(self, request: Request, body: bytes) -> Response:
        return await self.perform(request, self._read("ConverseStream", request, body, stream=True))

    async def _count(self, request: Request, body: bytes) -> Response:
        model, given = request.path_params["model"], reading.json_object(body)
        self._service.fit("CountTokens", {**given, "modelId": model})
        inner = cast("dict[str, JsonValue]", given["input"]).get("converse")
        if not isinstance(inner, dict):
            raise Refusal(Kind.UNKNOWN, "this twin counts the tokens of a converse request only")
        asked = converse.read(self.stage.model(model).id, inner, stream=False)
        return JSONResponse(self._service.told("CountTokens", {"inputTokens": asked.tokens}))

    def _read(self, operation: str, request: Request, body: bytes, *, stream: bool) -> Asked:
        model, given = request.path_params["model"], reading.json_object(body)
        self._service.fit(operation, {**given, "modelId": model})
        return converse.read(model, given, stream=stream)

    def whole(self, asked: Asked, played: Played) -> JsonValue:
        """See `Wire`."""
        del asked
        content: list[JsonValue] = [{"text": played.text}] if played.text else []
        content.extend(
            {"toolUse": {**_use(one), "input": json.loads(one.arguments)}} for one in played.calls if not one.broken
        )
        broken = any(one.broken for one in played.calls)
        return self._service.told(
            "Converse",
            {
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": "malformed_tool_use" if broken else _STOPS[played.stop],
                "usage": _usage(played.usage),
                "metrics": {"latencyMs": 1},
            },
        )

    def pieces(self, asked: Asked, played: Played) -> Sequence[bytes]:
        """See `Wire`."""
        del asked
        event = self._service.event
        events = [event("messageStart", {"role": "assistant"})]
        # A block of text has no start of its own.
        blocks: list[tuple[JsonValue, list[JsonValue]]] = []
        if played.text:
            blocks.append((None, [{"text": piece} for piece in words(played.text)]))
        blocks.extend(
            ({"toolUse": _use(one)}, [{"toolUse": {"input": piece}} for piece in splinters(one.arguments)])
            for one in played.calls
        )
        for index, (start, deltas) in enumerate(blocks):
            if start is not None:
                events.append(event("contentBlockStart", {"start": start, "contentBlockIndex": index}))
            events += [event("contentBlockDelta", {"delta": one, "contentBlockIndex": index}) for one in deltas]
            events.append(event("contentBlockStop", {"contentBlockIndex": index}))
        events.append(event("messageStop", {"stopReason": _STOPS[played.stop]}))
        events.append(event("metadata", {"usage": _usage(played.usage), "metrics": {"latencyMs": 1}}))
        return events

    def broken_off(self, refused: Refusal) -> bytes:
        """See `Wire`."""
        code = _REFUSALS[refused.kind][1]
        return eventstream.exception(code[0].lower() + code[1:], self.refusal(refused)[2])


class _Unsigned(Refusal):
    """A refusal with a code of AWS's own."""

    def __init__(self, error: NotSigned) -> None:
        super().__init__(Kind.NO_KEY, error.message)
        self.code = error.code


def _use(call: ToolCall) -> dict[str, JsonValue]:
    return {"toolUseId": f"tooluse_{call.id}", "name": call.name}


def _usage(usage: Usage) -> dict[str, JsonValue]:
    return {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.request + usage.output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": usage.cache_write,
    }
