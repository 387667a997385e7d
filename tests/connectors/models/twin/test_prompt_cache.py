"""The backends' own caches of prompts: marked on the wire where a backend wants that, counted, and cheaper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.messages import Answer, Message, Prompt, Text, Tokens, Tool
from connectors.models.prices import cost
from connectors.models.twin.app import create_twin
from connectors.models.twin.stage import Model
from tests.connectors.models.deployed import deployed
from tests.connectors.models.twin.conftest import CONFIG
from tests.connectors.models.twin.test_client import FILE, KEYS
from tests.connectors.serving import ServedTwin, served_twin

CLAUDE: Final = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PRICED: Final = FILE.replace("scripted:1", CLAUDE).replace(
    "price: {{input: 1, output: 1}}", "price: {{input: 3, output: 15, cached_input: 0.3}}"
)
RULES: Final = Text(text="You answer from files only, and are told so at some length, so that it is worth keeping.")
TOOLS: Final = (Tool(name="look", parameters={"type": "object", "properties": {}}),)


@pytest.fixture
def twin() -> Iterator[ServedTwin]:
    config = CONFIG.model_copy(update={"models": (Model(id=CLAUDE, cache_from=8),)})
    with served_twin(create_twin(config)) as served:
        yield served


def told(*said: str) -> Prompt:
    """A conversation, in which the user speaks first."""
    roles = ("user", "assistant") * len(said)
    messages = tuple(Message(role=role, parts=(Text(text=one),)) for role, one in zip(roles, said, strict=False))
    return Prompt(instructions=RULES, messages=messages, tools=TOOLS, max_tokens=50)


async def turns(client: ModelClient, backend: str, *, goes_on: bool) -> tuple[Tokens, Tokens]:
    """What two turns of a conversation counted."""
    ref = ModelRef(backend, CLAUDE)
    first: Answer = await client.ask(ref, told("greet me"), KEYS[backend], goes_on=goes_on)
    again = told("greet me", "Good morning, and welcome.", "greet me again, please")
    second = await client.ask(ref, again, KEYS[backend], goes_on=goes_on)
    assert first.tokens
    assert second.tokens
    return first.tokens, second.tokens


@pytest.mark.parametrize("backend", ["anthropic", "bedrock"])
async def test_a_turn_pays_for_what_is_new_and_little_for_what_was_told_before(
    twin: ServedTwin, tmp_path: Path, backend: str
) -> None:
    client = ModelClient(deployed(tmp_path, twin.url, PRICED))
    first, second = await turns(client, backend, goes_on=True)
    assert (first.cached_input, second.cached_input) == (0, first.cache_written)
    assert 0 < second.cache_written < first.cache_written
    uncached = second.model_copy(update={"cached_input": 0, "cache_written": 0})
    price = [cost(client.models, ModelRef(backend, CLAUDE), one) for one in (second, uncached)]
    assert price[0] is not None
    assert price[1] is not None
    assert price[0] < price[1]


@pytest.mark.parametrize("backend", ["anthropic", "bedrock"])
async def test_what_does_not_go_on_caches_instructions_and_tools_alone(
    twin: ServedTwin, tmp_path: Path, backend: str
) -> None:
    first, second = await turns(ModelClient(deployed(tmp_path, twin.url, PRICED)), backend, goes_on=False)
    assert first.cache_written == second.cached_input > 0
    assert (first.cached_input, second.cache_written) == (0, 0)


@pytest.mark.parametrize("backend", ["openai", "ollama"])
async def test_a_backend_that_caches_by_itself_or_not_at_all_is_asked_for_no_cache(
    twin: ServedTwin, tmp_path: Path, backend: str
) -> None:
    for one in await turns(ModelClient(deployed(tmp_path, twin.url, PRICED)), backend, goes_on=True):
        assert (one.cached_input, one.cache_written) == (0, 0)
