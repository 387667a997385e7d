"""The wire of OpenAI on a real server with a real, small model.

It shows that the caller which the twin is asked by reads a server that nobody here wrote. What the model says is no
measure of anything.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import openai
import pytest

from connectors.models.twin.conversation import WireName
from tests.connectors.models.twin.callers import Message, OpenAICaller, Question
from tests.connectors.models.twin.small_running import small_server

_SCHEMA: Final = {
    "type": "object",
    "properties": {"goal": {"enum": ["ReadFile", "DeleteBranch"]}, "repository": {"type": "string", "maxLength": 20}},
    "required": ["goal", "repository"],
    "additionalProperties": False,
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with small_server() as found:
        yield found


@pytest.fixture(scope="module")
def ask(url: str) -> Iterator[OpenAICaller]:
    caller = OpenAICaller(url, "none", WireName.OPENAI, timeout=120)
    with closing(caller.client):
        yield caller


GREET: Final = (
    Message(role="system", text="You are brief."),
    Message(role="user", text="Read README.md of the repository acme/shop."),
)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_answer_keeps_to_the_schema_and_tells_what_it_used(ask: OpenAICaller, stream: bool) -> None:
    answer = ask.ask(Question(messages=GREET, schema=_SCHEMA, limit=60), stream=stream)
    said = json.loads(answer.text)
    assert said.keys() == {"goal", "repository"}
    assert said["goal"] in {"ReadFile", "DeleteBranch"}
    assert (answer.stop, answer.input > 10, 0 < answer.output <= 60) == ("stop", True, True)


def test_a_limit_ends_an_answer(ask: OpenAICaller) -> None:
    answer = ask.ask(Question(messages=(Message(role="user", text="Count to a hundred."),), limit=4), stream=True)
    assert (answer.stop, answer.output) == ("length", 4)


def test_a_conversation_that_does_not_fit_is_refused(ask: OpenAICaller) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask.ask(Question(messages=(Message(role="user", text="greet " * 5000),)), stream=False)
    assert caught.value.status_code == 400
    assert "context" in str(caught.value)


def test_a_request_that_does_not_fit_is_refused(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            client.post("/chat/completions", body={"model": "m", "messages": "greet"}, cast_to=object)
        assert caught.value.status_code in {400, 500}
        assert [one.id for one in client.models.list()]
