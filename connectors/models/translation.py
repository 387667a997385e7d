"""Our words for pydantic-ai's, and its for ours. It sees no more of an answer than it must: no text is interpreted."""

import json
from collections.abc import Mapping
from typing import Final

from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from connectors.models.messages import (
    Answer,
    AnswerPart,
    Ended,
    Message,
    OutputSchema,
    Part,
    Prompt,
    Text,
    Tokens,
    Tool,
    ToolCall,
    ToolResult,
)

_ENDED: Final[Mapping[str | None, Ended]] = {
    "stop": Ended.STOP,
    "length": Ended.LENGTH,
    "content_filter": Ended.CONTENT_FILTER,
    "tool_call": Ended.TOOL_CALL,
}


def conversation(prompt: Prompt) -> list[ModelMessage]:
    """The messages of a prompt, every text of which is inline."""
    found = [_response(one) if one.role == "assistant" else _request(one) for one in prompt.messages]
    if prompt.instructions.text:
        last = next((one for one in reversed(found) if isinstance(one, ModelRequest)), None)
        if last is not None:
            last.instructions = prompt.instructions.text
    return found


def parameters(prompt: Prompt, *, enforced: bool) -> ModelRequestParameters:
    """Tools and the form of the answer.

    Args:
        prompt: What is asked.
        enforced: Whether the backend holds an answer to a schema by itself; else the answer is asked for as a tool.
    """
    told = [InstructionPart(content=prompt.instructions.text)] if prompt.instructions.text else []
    tools = [_tool(one) for one in prompt.tools]
    wanted = prompt.output
    if wanted is None:
        return ModelRequestParameters(function_tools=tools, instruction_parts=told)
    if enforced:
        schema = OutputObjectDefinition(
            json_schema=dict(wanted.json_schema), name=wanted.name, description=wanted.description or None
        )
        return ModelRequestParameters(
            function_tools=tools, output_mode="native", output_object=schema, instruction_parts=told
        )
    return ModelRequestParameters(
        function_tools=tools,
        output_mode="tool",
        output_tools=[_output_tool(wanted)],
        allow_text_output=False,
        instruction_parts=told,
    )


def settings(prompt: Prompt, *, seconds: float, goes_on: bool) -> ModelSettings:
    """How long, how warm, for how many seconds; and the backend's own cache of prompts, where it has one that is asked.

    Args:
        prompt: What is asked.
        seconds: As long as it may take.
        goes_on: Whether a next turn tells all of this again: else the cache takes instructions and tools alone, for
            what it takes costs more, once.
    """
    return ModelSettings(
        max_tokens=prompt.max_tokens,
        temperature=prompt.temperature,
        timeout=seconds,
        cache={"messages": goes_on},
    )


def answer(response: ModelResponse, prompt: Prompt) -> Answer:
    """What was said. A call of the output tool is the output; nothing of it is read."""
    parts: list[AnswerPart] = []
    output: Text | None = None
    wanted = prompt.output.name if prompt.output else None
    for part in response.parts:
        if isinstance(part, TextPart) and part.content:
            parts.append(Text(text=part.content))
        elif isinstance(part, ToolCallPart):
            if part.tool_name == wanted:
                output = Text(text=_written(part))
            else:
                parts.append(_call(part))
    if wanted and output is None and parts and all(isinstance(one, Text) for one in parts):
        output = Text(text="".join(one.text for one in parts if isinstance(one, Text)))
        parts = []
    calls = any(isinstance(one, ToolCall) for one in parts)
    return Answer(
        parts=tuple(parts),
        output=output,
        ended=_ended(response, calls=calls, done=output is not None),
        tokens=_tokens(response.usage),
        answered_by=(response.model_name or "")[:200],
    )


def _ended(response: ModelResponse, *, calls: bool, done: bool) -> Ended:
    said = _ENDED.get(response.finish_reason, Ended.UNKNOWN)
    if said is Ended.TOOL_CALL and done and not calls:
        return Ended.STOP  # the tool was our output
    return Ended.TOOL_CALL if calls and said in {Ended.STOP, Ended.UNKNOWN} else said


def _request(message: Message) -> ModelRequest:
    return ModelRequest(parts=[_request_part(one) for one in message.parts])


def _request_part(part: Part) -> ModelRequestPart:
    match part:
        case Text():
            return UserPromptPart(content=part.text)
        case ToolResult():
            outcome = "failed" if part.failed else "success"
            return ToolReturnPart(tool_name=part.tool, content=part.text, tool_call_id=part.id, outcome=outcome)
        case ToolCall():
            raise ValueError("a tool call is the model's: it belongs into a message of the assistant")


def _response(message: Message) -> ModelResponse:
    parts: list[ModelResponsePart] = []
    for part in message.parts:
        match part:
            case Text():
                parts.append(TextPart(content=part.text))
            case ToolCall():
                parts.append(ToolCallPart(tool_name=part.tool, args=part.arguments, tool_call_id=part.id))
            case ToolResult():
                raise ValueError("a tool's result belongs into a message of the user")
    return ModelResponse(parts=parts)


def _tool(one: Tool) -> ToolDefinition:
    return ToolDefinition(
        name=one.name, description=one.description or None, parameters_json_schema=dict(one.parameters)
    )


def _output_tool(wanted: OutputSchema) -> ToolDefinition:
    return ToolDefinition(
        name=wanted.name,
        description=wanted.description or "Answer by calling this.",
        parameters_json_schema=dict(wanted.json_schema),
        kind="output",
    )


def _call(part: ToolCallPart) -> ToolCall:
    text = _written(part)
    return ToolCall(id=part.tool_call_id, tool=part.tool_name[:200], arguments=text, well_formed=_object(text))


def _written(part: ToolCallPart) -> str:
    """The arguments as the model wrote them, where the backend hands on its text."""
    return (part.args if isinstance(part.args, str) else part.args_as_json_str()) or "{}"


def _object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _tokens(usage: RequestUsage) -> Tokens | None:
    """None for an answer without a count, or with one that cannot be: an answer costs something on both sides."""
    counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    if usage.unmeasured_requests or min(counts) < 0 or not usage.input_tokens:
        return None
    return Tokens(**dict(zip(("input", "output", "cached_input", "cache_written"), counts, strict=True)))
