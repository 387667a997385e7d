"""The models' own client on every wire of the twin: one conversation, and each bad day as an error of the one tree."""

from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import JsonValue, SecretStr, TypeAdapter

from connectors.errors import ConnectorError, OutcomeUnknown, RateLimited, Unavailable
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.messages import Ended, Message, OutputSchema, Prompt, Text, Tool, ToolCall, ToolResult
from tests.connectors.models.deployed import deployed
from tests.connectors.models.twin.conftest import CONFIG, bills, plant
from tests.connectors.models.twin.test_conversation import READ_FILE, TITLE
from tests.connectors.serving import ServedTwin

FILE: Final = """\
backends:
  openai: {{kind: openai, url: "{url}/openai/v1", seconds: 5}}
  anthropic: {{kind: anthropic, url: "{url}/anthropic", seconds: 5}}
  bedrock: {{kind: bedrock, url: "{url}/bedrock", region: eu-central-1, seconds: 5}}
  ollama: {{kind: ollama, url: "{url}/ollama", seconds: 5}}
models:
  openai/scripted:1: {{enforced_schema: true, price: {{input: 1, output: 1}}}}
  anthropic/scripted:1: {{enforced_schema: true, price: {{input: 1, output: 1}}}}
  bedrock/scripted:1: {{enforced_schema: true, price: {{input: 1, output: 1}}}}
  ollama/scripted:1: {{enforced_schema: true, price: {{input: 0, output: 0}}}}
tiers: {{all: [openai/scripted:1, anthropic/scripted:1, bedrock/scripted:1, ollama/scripted:1]}}
routes: {{plan: all}}
data: {{openai: [public], anthropic: [public], bedrock: [public], ollama: [public]}}
limits: {{goal: {{usd: 2, requests: 60, minutes: 30}}, day: {{usd: 100, per: requester}}}}
"""
KEYS: Final = {
    "openai": {"key": SecretStr(CONFIG.openai)},
    "anthropic": {"key": SecretStr(CONFIG.anthropic)},
    "bedrock": {
        "access_key_id": SecretStr(CONFIG.bedrock.access_key),
        "secret_access_key": SecretStr(CONFIG.bedrock.secret_key),
    },
    "ollama": dict[str, SecretStr](),
}
TOOLS: Final = (Tool(name=READ_FILE.name, parameters=dict(READ_FILE.schema)),)
_TITLE: Final = TypeAdapter(dict[str, JsonValue]).validate_python(TITLE)
ASKED: Final = Message(role="user", parts=(Text(text="Please read README.md and tell its title."),))
GREET: Final = Prompt(messages=(Message(role="user", parts=(Text(text="greet me"),)),))


@pytest.fixture(params=KEYS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(twin: ServedTwin, tmp_path: Path) -> ModelClient:
    return ModelClient(deployed(tmp_path, twin.url, FILE))


async def test_one_conversation(client: ModelClient, backend: str, twin: ServedTwin) -> None:
    ref, told = ModelRef(backend, "scripted:1"), Text(text="You answer from files only.")
    first = await client.ask(ref, Prompt(instructions=told, messages=(ASKED,), tools=TOOLS), KEYS[backend])
    (call,) = [one for one in first.parts if isinstance(one, ToolCall)]
    assert (call.tool, call.well_formed, first.ended) == ("read_file", True, Ended.TOOL_CALL)
    result = ToolResult(id=call.id, tool=call.tool, text="# Shop")
    done = (ASKED, Message(role="assistant", parts=first.parts), Message(role="user", parts=(result,)))
    output = OutputSchema(name="title", json_schema=_TITLE)
    second = await client.ask(ref, Prompt(instructions=told, messages=done, tools=TOOLS, output=output), KEYS[backend])
    assert second.output == Text(text='{"lines":1,"title":"Shop"}')
    counted = [(one.tokens.input, one.tokens.output) for one in (first, second) if one.tokens is not None]
    whole = ("input", "cache_read", "cache_write")
    assert counted == [(sum(one[name] for name in whole), one["output"]) for one in bills(twin)["bills"]]


@pytest.mark.parametrize(
    ("fault", "expected", "billed"),
    [
        ({"kind": "rate_limited", "retry_after": 7}, RateLimited, 0),
        ({"kind": "overloaded"}, Unavailable, 0),
        ({"kind": "failing"}, Unavailable, 0),
        ({"kind": "cut"}, OutcomeUnknown, 1),
        ({"kind": "silent"}, OutcomeUnknown, 1),
    ],
)
async def test_a_bad_day(
    client: ModelClient,
    backend: str,
    twin: ServedTwin,
    fault: dict[str, Any],
    expected: type[ConnectorError],
    billed: int,
) -> None:
    plant(twin, {"fault": fault, **({"say": "Good morning."} if billed else {})})
    with pytest.raises(expected):
        await client.ask(ModelRef(backend, "scripted:1"), GREET, KEYS[backend])
    assert bills(twin)["requests"] == billed


@pytest.mark.parametrize(
    ("fault", "ended"), [("context_too_long", Ended.CONTEXT_TOO_LONG), ("filtered", Ended.CONTENT_FILTER)]
)
async def test_an_answer_that_is_none(
    client: ModelClient, backend: str, twin: ServedTwin, fault: str, ended: Ended
) -> None:
    plant(twin, {"fault": {"kind": fault}, **({"say": "Good morning."} if fault == "filtered" else {})})
    found = await client.ask(ModelRef(backend, "scripted:1"), GREET, KEYS[backend])
    assert found.ended == (Ended.STOP if (backend, fault) == ("ollama", "filtered") else ended)
