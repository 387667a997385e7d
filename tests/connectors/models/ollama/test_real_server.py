"""Ollama's real server with a real, small model: both its wires, and our own client of it.

What the model says is no measure of anything.
"""

import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx
import openai
import pytest
from pydantic import JsonValue, SecretStr

from connectors.errors import InvalidRequest, NotFound
from connectors.models.client import ModelClient
from connectors.models.deployment import ModelRef
from connectors.models.messages import Ended, OutputSchema, Tool
from connectors.models.twin.app import create_twin
from connectors.models.twin.conversation import WireName
from tests.connectors.models.deployed import asks, deployed
from tests.connectors.models.ollama.running import CONTEXT, MODEL, real_ollama
from tests.connectors.models.twin.callers import Message, OllamaCaller, OpenAICaller, Question
from tests.connectors.models.twin.callers import Tool as Offered
from tests.connectors.models.twin.conftest import CONFIG
from tests.connectors.serving import served
from workers.commands.models import asked

FILE: Final = """\
backends: {{attic: {{kind: ollama, url: "{url}", seconds: 120}}}}
models:
  attic/smollm2:135m: {{context: 256, price: {{input: 0, output: 0}}}}
  attic/gone:1b: {{context: 256, price: {{input: 0, output: 0}}}}
tiers: {{small: [attic/smollm2:135m, attic/gone:1b]}}
routes: {{plan: small, read: small}}
data: {{attic: [public, repository, log, private]}}
limits: {{goal: {{usd: 2, requests: 60, minutes: 30}}, day: {{usd: 100, per: requester}}}}
"""
REAL: Final = ModelRef("attic", MODEL)
SCHEMA: Final[dict[str, JsonValue]] = {
    "type": "object",
    "properties": {"goal": {"enum": ["ReadFile", "DeleteBranch"]}, "repository": {"type": "string", "maxLength": 20}},
    "required": ["goal", "repository"],
    "additionalProperties": False,
}
ASKED: Final = (
    Message(role="system", text="You are brief."),
    Message(role="user", text="Read README.md of the repository acme/shop."),
)
LOOK: Final[dict[str, JsonValue]] = {"type": "object", "properties": {"lamp": {"type": "string"}}, "required": ["lamp"]}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_ollama(tmp_path_factory.mktemp("ollama")) as found:
        yield found


@pytest.fixture(params=["own", "v1"])
def ask(request: pytest.FixtureRequest, url: str) -> Iterator[OllamaCaller | OpenAICaller]:
    own = request.param == "own"
    caller = OllamaCaller(url, timeout=120) if own else OpenAICaller(url, "none", WireName.OLLAMA, timeout=120)
    with closing(caller.client):
        yield caller


@pytest.fixture
def client(url: str, tmp_path: Path) -> ModelClient:
    return ModelClient(deployed(tmp_path, url, FILE))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_keeps_to_the_schema_and_tells_what_it_used(ask: OllamaCaller | OpenAICaller, stream: bool) -> None:
    answer = ask.ask(Question(model=MODEL, messages=ASKED, schema=SCHEMA, limit=60), stream=stream)
    said = json.loads(answer.text)
    assert said.keys() == {"goal", "repository"}
    assert said["goal"] in {"ReadFile", "DeleteBranch"}
    assert (answer.stop, answer.input > 10, 0 < answer.output <= 60) == ("stop", True, True)


def test_a_limit_ends_an_answer(ask: OllamaCaller | OpenAICaller) -> None:
    counting = Question(model=MODEL, messages=(Message(role="user", text="Count to a hundred."),), limit=4)
    answer = ask.ask(counting, stream=True)
    assert (answer.stop, answer.output) == ("length", 4)


def test_it_overlooks_the_limit_that_openai_knows_as_the_twin_does(url: str) -> None:
    asked_for = {"messages": [{"role": "user", "content": "greet me, and count to a hundred"}], "stream": True}
    with served(create_twin(CONFIG)) as twin:
        for root, model in ((f"{twin}/ollama", "scripted:1"), (url, MODEL)):
            request = {**asked_for, "model": model, "max_completion_tokens": 2}
            with httpx.stream("POST", f"{root}/v1/chat/completions", json=request, timeout=120) as answer:
                pieces = (line for line in answer.iter_lines() if '"content":"' in line.replace(" ", ""))
                assert len(list(itertools.islice(pieces, 5))) == 5


def test_what_it_has_kept_of_an_earlier_request_is_counted(ask: OllamaCaller | OpenAICaller) -> None:
    question = Question(model=MODEL, messages=ASKED, limit=2)
    first, again = (ask.ask(question, stream=False).input for _ in range(2))
    assert first == again


def test_what_does_not_fit_is_forgotten_in_silence_as_the_twin_does(ask: OllamaCaller | OpenAICaller) -> None:
    long = Question(model=MODEL, messages=(*ASKED, Message(role="user", text="greet " * 800)), limit=4)
    assert ask.ask(long, stream=False).input <= CONTEXT


def test_what_it_tells_of_itself_has_the_twins_shape(url: str) -> None:
    with served(create_twin(CONFIG)) as twin:
        for path in ("version", "tags"):
            ours, real = (httpx.get(f"{root}/api/{path}").json() for root in (f"{twin}/ollama", url))
            assert _shape(ours) <= _shape(real)
        ours, real = (
            httpx.post(f"{root}/api/show", json={"model": model}).json()
            for root, model in ((f"{twin}/ollama", "scripted:1"), (url, MODEL))
        )
        assert {"details", "model_info", "capabilities"} <= ours.keys() & real.keys()
        about = real["model_info"]
        assert about[f"{about['general.architecture']}.context_length"] == 8192


def _shape(told: object, at: str = "") -> set[str]:
    """The fields of it, with where they stand."""
    if isinstance(told, dict):
        return {f"{at}.{name}" for name in told} | {one for name in told for one in _shape(told[name], f"{at}.{name}")}
    return {one for each in told for one in _shape(each, f"{at}[]")} if isinstance(told, list) else set[str]()


def test_a_model_that_it_has_not_is_refused_as_by_the_twin(url: str) -> None:
    asked_for = {"model": "gone:1b", "messages": []}
    with served(create_twin(CONFIG)) as twin:
        told = [httpx.post(f"{root}/api/chat", json=asked_for) for root in (url, f"{twin}/ollama")]
    assert [one.status_code for one in told] == [404, 404]
    assert all("not found" in one.json()["error"] for one in told)


def test_tools_that_its_model_does_not_take_are_refused(ask: OllamaCaller | OpenAICaller) -> None:
    offered = Question(model=MODEL, messages=ASKED, tools=(Offered(name="look", schema=LOOK),))
    with pytest.raises((httpx.HTTPStatusError, openai.BadRequestError)) as caught:
        ask.ask(offered, stream=False)
    assert caught.value.response.status_code == 400


async def test_our_client_gets_what_the_schema_asks_for(client: ModelClient) -> None:
    wanted = OutputSchema(name="choice", description="What to do.", json_schema=SCHEMA)
    prompt = asks("Read README.md of the repository acme/shop.")
    found = await client.ask(REAL, prompt.model_copy(update={"output": wanted, "max_tokens": 60}), {})
    assert found.output is not None
    assert json.loads(found.output.text).keys() == {"goal", "repository"}
    assert found.ended is Ended.STOP
    assert found.tokens is not None
    assert found.tokens.input > 10


async def test_our_client_says_what_is_not_there_what_is_not_taken_and_what_does_not_fit(client: ModelClient) -> None:
    with pytest.raises(NotFound, match="gone:1b"):
        await client.ask(ModelRef("attic", "gone:1b"), asks(), {})
    look = Tool(name="look", description="Looks at a lamp.", parameters=LOOK)
    with pytest.raises(InvalidRequest, match="none for this model"):
        await client.ask(REAL, asks().model_copy(update={"tools": (look,)}), {})
    long = await client.ask(REAL, asks("greet " * 800).model_copy(update={"max_tokens": 4}), {})
    assert (long.ended, long.parts) == (Ended.CONTEXT_TOO_LONG, ())


async def test_a_check_tells_which_of_its_models_answers(client: ModelClient) -> None:
    async def nothing(_: str) -> dict[str, SecretStr]:
        raise AssertionError("it wants no key")

    rows = [await asked(client, ref, nothing) for ref in client.models.asked]
    assert [(one.model, one.answered) for one in rows] == [(str(REAL), True), ("attic/gone:1b", False)]
