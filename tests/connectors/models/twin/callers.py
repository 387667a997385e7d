"""The four wires through their real SDKs, retries off: one neutral conversation in, one neutral answer out."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, cast

import anthropic
import boto3
import httpx
import openai
from botocore.config import Config

from connectors.models.twin.app import TwinConfig
from connectors.models.twin.conversation import WireName

Said = Literal["system", "user", "assistant", "tool"]
PATIENCE: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One that is offered."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, with what the SDK read of its arguments; text where that is no JSON."""

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message."""

    role: Said
    text: str = ""
    calls: tuple[Call, ...] = ()
    answers: Call | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    text: str
    calls: tuple[Call, ...]
    stop: str
    input: int
    output: int


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked."""

    messages: Sequence[Message]
    tools: tuple[Tool, ...] = ()
    schema: Mapping[str, Any] | None = None
    limit: int = 500
    model: str = "scripted:1"


class Caller(Protocol):
    """One SDK."""

    wire: WireName

    def ask(self, question: Question, *, stream: bool) -> Answer: ...


@dataclass
class _Heard:
    """An answer that arrives in pieces."""

    text: str = ""
    names: dict[int, tuple[str, str]] = field(default_factory=dict[int, tuple[str, str]])
    arguments: dict[int, str] = field(default_factory=dict[int, str])
    stop: str = ""
    input: int = 0
    output: int = 0

    def call(self, index: int, call: str, name: str) -> None:
        self.names[index], self.arguments[index] = (call, name), ""

    def answer(self) -> Answer:
        calls = tuple(
            Call(id=call, name=name, arguments=loaded(self.arguments[index]))
            for index, (call, name) in self.names.items()
        )
        return Answer(text=self.text, calls=calls, stop=self.stop, input=self.input, output=self.output)


def loaded(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


class OpenAICaller:
    """The SDK `openai`."""

    def __init__(self, url: str, key: str, wire: WireName, *, timeout: float = PATIENCE) -> None:
        self.wire = wire
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=timeout)

    def ask(self, question: Question, *, stream: bool) -> Answer:
        given: dict[str, Any] = {
            "model": question.model,
            "messages": [_openai_message(one) for one in question.messages],
            "max_tokens" if self.wire is WireName.OLLAMA else "max_completion_tokens": question.limit,
        }
        if question.tools:
            given["tools"] = [_openai_tool(one) for one in question.tools]
        if question.schema is not None:
            shape = {"name": "answer", "schema": question.schema, "strict": True}
            given["response_format"] = {"type": "json_schema", "json_schema": shape}
        if not stream:
            return _openai_whole(self.client.chat.completions.create(**given))
        heard = _Heard()
        given |= {"stream": True, "stream_options": {"include_usage": True}}
        with closing(cast("openai.Stream[Any]", self.client.chat.completions.create(**given))) as chunks:
            for chunk in chunks:
                _openai_hear(heard, chunk)
        return heard.answer()


def _openai_whole(made: Any) -> Answer:
    choice, usage = made.choices[0], made.usage
    calls = tuple(
        Call(id=one.id, name=one.function.name, arguments=loaded(one.function.arguments))
        for one in choice.message.tool_calls or ()
    )
    return Answer(
        text=choice.message.content or choice.message.refusal or "",
        calls=calls,
        stop=choice.finish_reason,
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
    )


def _openai_hear(heard: _Heard, chunk: Any) -> None:
    if chunk.usage is not None:
        heard.input, heard.output = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
    for choice in chunk.choices:
        heard.text += choice.delta.content or choice.delta.refusal or ""
        heard.stop = choice.finish_reason or heard.stop
        for one in choice.delta.tool_calls or ():
            if one.id:
                heard.call(one.index, one.id, one.function.name)
            heard.arguments[one.index] += one.function.arguments or ""


def _openai_message(one: Message) -> dict[str, Any]:
    if one.answers is not None:
        return {"role": "tool", "tool_call_id": one.answers.id, "content": one.text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call in one.calls
    ]
    return {"role": one.role, "content": one.text, **({"tool_calls": calls} if calls else {})}


def _openai_tool(one: Tool) -> dict[str, Any]:
    return {"type": "function", "function": {"name": one.name, "parameters": one.schema}}


class AnthropicCaller:
    """The SDK `anthropic`."""

    wire = WireName.ANTHROPIC

    def __init__(self, url: str, key: str, *, timeout: float = PATIENCE) -> None:
        self.client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=timeout)

    def ask(self, question: Question, *, stream: bool) -> Answer:
        given: dict[str, Any] = {
            "model": question.model,
            "max_tokens": question.limit,
            "messages": [_anthropic_message(one) for one in question.messages if one.role != "system"],
            "system": "".join(one.text for one in question.messages if one.role == "system"),
            "tools": [{"name": one.name, "input_schema": one.schema} for one in question.tools],
        }
        if question.schema is not None:
            given["output_config"] = {"format": {"type": "json_schema", "schema": question.schema}}
        if not stream:
            return _anthropic_whole(self.client.messages.create(**given))
        heard = _Heard()
        with closing(self.client.messages.create(**given, stream=True)) as events:
            for event in events:
                _anthropic_hear(heard, event)
        return heard.answer()


def _anthropic_whole(made: Any) -> Answer:
    return Answer(
        text="".join(one.text for one in made.content if one.type == "text"),
        calls=tuple(
            Call(id=one.id, name=one.name, arguments=one.input) for one in made.content if one.type == "tool_use"
        ),
        stop=made.stop_reason,
        input=made.usage.input_tokens,
        output=made.usage.output_tokens,
    )


def _anthropic_hear(heard: _Heard, event: Any) -> None:
    match event.type:
        case "message_start":
            heard.input = event.message.usage.input_tokens
        case "content_block_start" if event.content_block.type == "tool_use":
            heard.call(event.index, event.content_block.id, event.content_block.name)
        case "content_block_delta" if event.delta.type == "text_delta":
            heard.text += event.delta.text
        case "content_block_delta":
            heard.arguments[event.index] += event.delta.partial_json
        case "message_delta":
            heard.stop, heard.output = event.delta.stop_reason, event.usage.output_tokens
        case _:
            pass


def _anthropic_message(one: Message) -> dict[str, Any]:
    if one.answers is not None:
        block = {"type": "tool_result", "tool_use_id": one.answers.id, "content": one.text}
        return {"role": "user", "content": [block]}
    said = [{"type": "text", "text": one.text}] if one.text else []
    calls = [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in one.calls]
    return {"role": one.role, "content": [*said, *calls]}


class BedrockCaller:
    """The SDK `boto3`."""

    wire = WireName.BEDROCK

    def __init__(self, url: str, config: TwinConfig, *, secret: str | None = None, timeout: float = PATIENCE) -> None:
        key = config.bedrock
        self.client: Any = boto3.client(  # pyright: ignore[reportUnknownMemberType] - it has no types
            "bedrock-runtime",
            endpoint_url=url,
            region_name=key.region,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=secret or key.secret_key,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=timeout, connect_timeout=PATIENCE),
        )

    def ask(self, question: Question, *, stream: bool) -> Answer:
        given: dict[str, Any] = {
            "modelId": question.model,
            "messages": [_bedrock_message(one) for one in question.messages if one.role != "system"],
            "inferenceConfig": {"maxTokens": question.limit},
        }
        if system := [{"text": one.text} for one in question.messages if one.role == "system"]:
            given["system"] = system
        if question.tools:
            specs = [{"name": one.name, "inputSchema": {"json": one.schema}} for one in question.tools]
            given["toolConfig"] = {"tools": [{"toolSpec": one} for one in specs]}
        if question.schema is not None:
            structure = {"jsonSchema": {"schema": json.dumps(question.schema)}}
            given["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
        if not stream:
            return _bedrock_whole(self.client.converse(**given))
        heard = _Heard()
        with closing(self.client.converse_stream(**given)["stream"]) as events:
            for event in events:
                _bedrock_hear(heard, event)
        return heard.answer()


def _bedrock_whole(made: Mapping[str, Any]) -> Answer:
    content = made["output"]["message"]["content"]
    uses = [one["toolUse"] for one in content if "toolUse" in one]
    return Answer(
        text="".join(one["text"] for one in content if "text" in one),
        calls=tuple(Call(id=one["toolUseId"], name=one["name"], arguments=one["input"]) for one in uses),
        stop=made["stopReason"],
        input=made["usage"]["inputTokens"],
        output=made["usage"]["outputTokens"],
    )


def _bedrock_hear(heard: _Heard, event: Mapping[str, Any]) -> None:
    ((kind, content),) = event.items()
    match kind:
        case "contentBlockStart":
            use = content["start"]["toolUse"]
            heard.call(content["contentBlockIndex"], use["toolUseId"], use["name"])
        case "contentBlockDelta" if "text" in content["delta"]:
            heard.text += content["delta"]["text"]
        case "contentBlockDelta":
            heard.arguments[content["contentBlockIndex"]] += content["delta"]["toolUse"]["input"]
        case "messageStop":
            heard.stop = content["stopReason"]
        case "metadata":
            heard.input, heard.output = content["usage"]["inputTokens"], content["usage"]["outputTokens"]
        case _:
            pass


def _bedrock_message(one: Message) -> dict[str, Any]:
    if one.answers is not None:
        result = {"toolUseId": one.answers.id, "content": [{"text": one.text}]}
        return {"role": "user", "content": [{"toolResult": result}]}
    said = [{"text": one.text}] if one.text else []
    calls = [{"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}} for call in one.calls]
    return {"role": one.role, "content": [*said, *calls]}


class OllamaCaller:
    """Ollama's own API has no SDK here: httpx, as its documentation shows it with curl."""

    wire = WireName.OLLAMA

    def __init__(self, url: str, *, timeout: float = PATIENCE) -> None:
        self.client = httpx.Client(base_url=url, timeout=timeout)

    def ask(self, question: Question, *, stream: bool) -> Answer:
        given: dict[str, Any] = {
            "model": question.model,
            "messages": [_ollama_message(one) for one in question.messages],
            "tools": [_openai_tool(one) for one in question.tools],
            "stream": stream,
            "options": {"num_predict": question.limit},
        }
        if question.schema is not None:
            given["format"] = question.schema
        lines = list[dict[str, Any]]()
        with self.client.stream("POST", "/api/chat", json=given) as response:
            if response.is_error:
                response.read()
                response.raise_for_status()
            lines += [json.loads(line) for line in response.iter_lines()]
        if error := next((one["error"] for one in lines if "error" in one), None):
            raise OllamaError(error)
        return _ollama_answer(lines)


class OllamaError(Exception):
    """An error in a stream."""


def _ollama_answer(lines: Sequence[Mapping[str, Any]]) -> Answer:
    said = [cast("Mapping[str, Any]", one["message"]) for one in lines]
    calls = [call for one in said for call in one.get("tool_calls", ())]
    last = lines[-1]
    return Answer(
        text="".join(one["content"] for one in said),
        calls=tuple(
            Call(id=one["id"], name=one["function"]["name"], arguments=one["function"]["arguments"]) for one in calls
        ),
        stop=last.get("done_reason", ""),
        input=last.get("prompt_eval_count", 0),
        output=last.get("eval_count", 0),
    )


def _ollama_message(one: Message) -> dict[str, Any]:
    calls = [{"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in one.calls]
    named = {"tool_name": one.answers.name} if one.answers else {}
    return {"role": one.role, "content": one.text, **named, **({"tool_calls": calls} if calls else {})}


WIRES: Final = ("openai", "anthropic", "bedrock", "ollama", "ollama-v1")
"""Each way to ask, by the name that tests give it."""


def caller(way: str, url: str, config: TwinConfig, opened: ExitStack, *, timeout: float = PATIENCE) -> Caller:
    """One way to ask, until the stack ends."""
    match way:
        case "openai":
            found = OpenAICaller(f"{url}/openai", config.openai, WireName.OPENAI, timeout=timeout)
        case "ollama-v1":
            found = OpenAICaller(f"{url}/ollama", "ollama", WireName.OLLAMA, timeout=timeout)
        case "anthropic":
            found = AnthropicCaller(f"{url}/anthropic", config.anthropic, timeout=timeout)
        case "bedrock":
            found = BedrockCaller(f"{url}/bedrock", config, timeout=timeout)
        case _:
            found = OllamaCaller(f"{url}/ollama", timeout=timeout)
    opened.callback(found.client.close)
    return found
