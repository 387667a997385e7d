"""Bedrock's Converse, whole and as an event stream, held against botocore's own model of the service."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import ClassVar, Final, Literal, Protocol, cast

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.models.twin.conversation import Asked, Played, Stop, Tool, ToolCall, Turn, Usage, WireName, canonical
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires import eventstream, reading
from connectors.models.twin.wires.reading import Shape
from connectors.models.twin.wires.signature import NotSigned, Signer
from connectors.models.twin.wires.wire import Said, Wire, splinters, words
from connectors.twins.handlers import NotAsDeclared
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


class _Report(Protocol):
    def has_errors(self) -> bool: ...

    def generate_report(self) -> str: ...


class _Validator(Protocol):
    def validate(self, params: object, shape: object) -> _Report: ...


class _OperationModel(Protocol):
    input_shape: object
    output_shape: object


class _ServiceModel(Protocol):
    def operation_model(self, name: str) -> _OperationModel: ...

    def shape_for(self, name: str) -> object: ...


class _Loader(Protocol):
    def load_service_model(self, service_name: str, type_name: str) -> Mapping[str, object]: ...


class _Service:
    """botocore's description of the service: the one border at which its untyped values are read."""

    def __init__(self) -> None:
        described = cast("_Loader", Loader()).load_service_model("bedrock-runtime", "service-2")
        self._model = cast("_ServiceModel", ServiceModel(described))
        self._validator = cast("_Validator", ParamValidator())

    def fit(self, operation: str, given: Mapping[str, JsonValue]) -> None:
        """Hold a request against it.

        Raises:
            Refusal: It does not fit.
        """
        if (problem := self._problem(given, self._model.operation_model(operation).input_shape)) is not None:
            raise Refusal(Kind.MALFORMED, problem)

    def told(self, operation: str, answer: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """An answer that fits.

        Raises:
            NotAsDeclared: It does not: a mistake in the twin.
        """
        return self._fits(answer, self._model.operation_model(operation).output_shape)

    def event(self, kind: str, content: dict[str, JsonValue]) -> bytes:
        """An event of the stream that fits.

        Raises:
            NotAsDeclared: It does not: a mistake in the twin.
        """
        self._fits({kind: content}, self._model.shape_for("ConverseStreamOutput"))
        return eventstream.event(kind, json.dumps(content).encode())

    def _fits(self, answer: dict[str, JsonValue], shape: object) -> dict[str, JsonValue]:
        if (problem := self._problem(answer, shape)) is not None:
            raise NotAsDeclared(f"the twin's answer is none: {problem}")
        return answer

    def _problem(self, value: object, shape: object) -> str | None:
        report = self._validator.validate(value, shape)
        return report.generate_report() if report.has_errors() else None


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
        self._service, self._token = _service(), key.token
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
        asked = self._asked(self.stage.model(model).id, inner, stream=False)
        return JSONResponse(self._service.told("CountTokens", {"inputTokens": asked.tokens}))

    def _read(self, operation: str, request: Request, body: bytes, *, stream: bool) -> Asked:
        model, given = request.path_params["model"], reading.json_object(body)
        self._service.fit(operation, {**given, "modelId": model})
        return self._asked(model, given, stream=stream)

    def _asked(self, model: str, given: dict[str, JsonValue], *, stream: bool) -> Asked:
        asked = reading.read(_Request, given)
        turns = tuple(turn for one in asked.messages for turn in one.turns())
        _require_words(asked, turns)
        reading.require_pairs(turns)
        return Asked(
            wire=self.name,
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


@cache
def _service() -> _Service:
    """Read once: it is large."""
    return _Service()


class _Unsigned(Refusal):
    """A refusal with a code of AWS's own."""

    def __init__(self, error: NotSigned) -> None:
        super().__init__(Kind.NO_KEY, error.message)
        self.code = error.code


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
