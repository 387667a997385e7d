"""One scripted conversation over every wire, through the real SDKs: the same transcript comes out."""

import json

import pytest

from tests.connectors.models.twin.callers import Answer, Caller, Message, Question, Tool
from tests.connectors.models.twin.conftest import Asking, bills
from tests.connectors.serving import ServedTwin

READ_FILE = Tool(
    name="read_file",
    schema={
        "type": "object",
        "properties": {"path": {"type": "string"}, "lines": {"type": "array", "items": {"type": "integer"}}},
        "required": ["path"],
    },
)
TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "lines": {"type": "integer"}},
    "required": ["title", "lines"],
    "additionalProperties": False,
}
BEGUN = (
    Message(role="system", text="You answer from files only."),
    Message(role="user", text="Please read README.md and tell its title."),
)
_CALLS = {"tool_calls", "tool_use", "stop"}  # Ollama's own API says `stop`, calls or not
_ENDS = {"stop", "end_turn"}


def converse(ask: Caller, *, stream: bool) -> tuple[Answer, Answer]:
    """System, user, tool call, tool result, structured answer."""
    first = ask.ask(Question(messages=BEGUN, tools=(READ_FILE,)), stream=stream)
    done = (
        *BEGUN,
        Message(role="assistant", text=first.text, calls=first.calls),
        Message(role="tool", text="# Shop", answers=first.calls[0]),
    )
    return first, ask.ask(Question(messages=done, tools=(READ_FILE,), schema=TITLE), stream=stream)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_same_conversation_comes_out_of_every_wire(ask: Caller, twin: ServedTwin, stream: bool) -> None:
    first, second = converse(ask, stream=stream)
    assert first.text == "Let me look into README.md."
    assert [(one.name, one.arguments) for one in first.calls] == [
        ("read_file", {"path": "README.md", "lines": [1, 40]})
    ]
    assert first.stop in _CALLS
    assert json.loads(second.text) == {"title": "Shop", "lines": 1}
    assert (second.calls, second.stop in _ENDS) == ((), True)
    billed = bills(twin)
    assert billed["requests"] == 2
    assert [(one["input"], one["output"]) for one in billed["bills"]] == [
        (first.input, first.output),
        (second.input, second.output),
    ]
    assert {one["wire"] for one in billed["bills"]} == {ask.wire}


def test_every_wire_counts_the_same_tokens(asking: Asking, way: str) -> None:
    counted = [[(one.input, one.output) for one in converse(asking(name), stream=False)] for name in ("openai", way)]
    assert counted[0] == counted[1]
    assert all(tokens > 0 for pair in counted[0] for tokens in pair)


def test_calls_have_ids_of_their_own(ask: Caller) -> None:
    ids = [converse(ask, stream=False)[0].calls[0].id for _ in range(3)]
    assert len(set(ids)) == 3
    assert all(ids)


def test_an_answer_without_a_schema_is_a_call_of_the_output_tool(ask: Caller) -> None:
    final = Tool(name="final_result", schema=TITLE)
    messages = (Message(role="user", text="Please read README.md"),)
    first = ask.ask(Question(messages=(BEGUN[0], *messages), tools=(READ_FILE, final)), stream=True)
    done = (
        BEGUN[0],
        *messages,
        Message(role="assistant", text=first.text, calls=first.calls),
        Message(role="tool", text="# Shop", answers=first.calls[0]),
    )
    second = ask.ask(Question(messages=done, tools=(READ_FILE, final)), stream=True)
    assert [(one.name, one.arguments) for one in second.calls] == [("final_result", {"title": "Shop", "lines": 1})]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_limit_ends_an_answer(ask: Caller, stream: bool) -> None:
    question = Question(messages=(Message(role="user", text="greet me"),), limit=5)
    answer = ask.ask(question, stream=stream)
    assert answer.text == "Good morning, and we"
    assert answer.output == 5
    assert answer.stop in {"length", "max_tokens"}
