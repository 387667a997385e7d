"""Ollama's two wires on its own server, with a real, small model: what the twin is asked by reads it, too.

What the model says is no measure of anything.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import httpx
import openai
import pytest

from connectors.models.twin.conversation import WireName
from deploy.local.tools import ToolUnavailableError
from tests.connectors.models.twin.callers import Caller, Message, OllamaCaller, OpenAICaller, Question
from tests.connectors.models.twin.ollama import MODEL, find_ollama, ollama_server
from tests.connectors.models.twin.small_model import find_small_model
from tests.connectors.models.twin.test_faults import UNKNOWN, code, refused, status
from tests.connectors.models.twin.test_small_server import GREET

_SCHEMA: Final = {
    "type": "object",
    "properties": {"goal": {"enum": ["ReadFile", "DeleteBranch"]}},
    "required": ["goal"],
    "additionalProperties": False,
}
_CONTEXT: Final = 2048

# The first use may build it.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        program, model = asyncio.run(find_ollama()), asyncio.run(find_small_model())
    except ToolUnavailableError as reason:
        pytest.skip(str(reason))
    with ollama_server(program, model.weights, tmp_path_factory.mktemp("ollama")) as found:
        yield found


@pytest.fixture(params=["ollama", "ollama-v1"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(url: str, way: str) -> Iterator[Caller]:
    with ExitStack() as opened:
        made: OllamaCaller | OpenAICaller
        if way == "ollama":
            made = OllamaCaller(url, timeout=120)
        else:
            made = OpenAICaller(url, "ollama", WireName.OLLAMA, timeout=120)
        opened.callback(made.client.close)
        yield made


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_keeps_to_the_schema_and_tells_what_it_used(ask: Caller, stream: bool) -> None:
    answer = ask.ask(Question(messages=GREET, schema=_SCHEMA, limit=40, model=MODEL), stream=stream)
    assert json.loads(answer.text)["goal"] in {"ReadFile", "DeleteBranch"}
    assert (answer.stop, answer.input > 10, 0 < answer.output <= 40) == ("stop", True, True)


def test_a_limit_ends_an_answer(ask: Caller) -> None:
    count = Question(messages=(Message(role="user", text="Count to a hundred."),), limit=4, model=MODEL)
    answer = ask.ask(count, stream=True)
    assert (answer.stop, answer.output) == ("length", 4)


def test_what_does_not_fit_is_forgotten_in_silence(ask: Caller) -> None:
    long = Question(messages=(Message(role="user", text="greet " * 5000),), limit=2, model=MODEL)
    assert 0 < ask.ask(long, stream=False).input <= _CONTEXT


def test_a_model_that_is_none_is_refused_as_the_twin_refuses_it(ask: Caller, way: str) -> None:
    error = refused(ask, question=Question(messages=GREET, model="gone:1"))
    assert isinstance(error, UNKNOWN[way][0])
    assert status(error) == UNKNOWN[way][1]
    if way == "ollama":
        assert "gone:1" in str(code(error))


def test_it_tells_what_it_has(url: str) -> None:
    listed = httpx.get(f"{url}/api/tags").json()["models"]
    assert [one["name"] for one in listed] == [f"{MODEL}:latest"]
    assert httpx.post(f"{url}/api/show", json={"model": MODEL}).json()["details"]["format"] == "gguf"
    with openai.OpenAI(base_url=f"{url}/v1", api_key="ollama", max_retries=0) as client:
        assert [one.id for one in client.models.list()] == [f"{MODEL}:latest"]
