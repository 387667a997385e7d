"""Ollama's own API held against its published description, `docs/openapi.yaml` of the server's source."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.models.twin.app import create_twin
from tests.connectors.description import Published
from tests.connectors.judged import Recorder
from tests.connectors.models.ollama.description import DESCRIPTION
from tests.connectors.models.twin.callers import Message, OllamaCaller, Question, Tool
from tests.connectors.models.twin.conftest import CONFIG
from tests.connectors.models.twin.test_conversation import converse
from tests.connectors.serving import served

OLLAMA: Final = Published("ollama.yaml", error="ErrorResponse", kept=DESCRIPTION)
pytestmark = OLLAMA.required


@dataclass
class _Below:
    """The twin's Ollama at the root, where its description has it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        moved = {**scope, "path": f"/ollama{scope['path']}"} if scope["type"] == "http" else scope
        await self.app(moved, receive, send)


@pytest.fixture
def recorder() -> Recorder:
    judge = OLLAMA.description
    assert judge is not None
    return Recorder(_Below(create_twin(CONFIG)), judge)


@pytest.fixture
def ask(recorder: Recorder) -> Iterator[OllamaCaller]:
    with served(recorder) as url:
        caller = OllamaCaller(url)
        with closing(caller.client):
            yield caller


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_conversation_keeps_to_it(ask: OllamaCaller, recorder: Recorder, stream: bool) -> None:
    _, last = converse(ask, stream=stream)
    assert last.text
    recorder.require_none()


def test_all_else_keeps_to_it(ask: OllamaCaller, recorder: Recorder) -> None:
    http = ask.client
    assert http.get("/api/version").is_success
    assert http.get("/api/tags").is_success
    assert http.post("/api/show", json={"model": "scripted:1"}).is_success
    assert http.post("/api/chat", json={"model": "gone", "messages": []}).status_code == 404
    recorder.require_none()


def test_what_departs_from_it_is_noticed(ask: OllamaCaller, recorder: Recorder) -> None:
    tool = Tool(name="read_file", schema={"type": "object", "properties": {}})
    ask.ask(Question(messages=(Message(role="user", text="greet me"),), tools=(tool,)), stream=False)
    recorder.require_none()
    given = {"model": "scripted:1", "messages": [{"role": "user", "content": "greet me"}], "stream": False, "think": 3}
    assert ask.client.post("/api/chat", json=given).is_success
    assert any("think" in one for one in recorder.problems)
