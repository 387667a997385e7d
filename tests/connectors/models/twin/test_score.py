"""Scores and cues: which one is played, what is filled in, and what is no score."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import JsonValue

from connectors.models.twin.conversation import Asked, Tool, ToolCall, Turn, WireName
from connectors.models.twin.faults import Refusing, Spoiling
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.score import Score, ScoreError, filled, read_cues, read_score
from connectors.models.twin.stage import Model, Stage
from connectors.twins.clock import TwinClock

PAGE: Final = Path(__file__).parents[4] / "docs" / "how-to" / "script-a-model.md"
MODEL = Model(id="m:1")


def asked(*turns: Turn, **changed: Any) -> Asked:
    said = turns or (Turn(role="user", text="greet me"),)
    return replace(Asked(wire=WireName.OPENAI, model=MODEL.id, turns=said), **changed)


def stage(score: str) -> Stage:
    return Stage([MODEL], read_score(score), TwinClock())


def said(on: Stage, request: Asked) -> str:
    return on.play(request, on.cue(request)).text


CALLED = (
    Turn(role="user", text="greet me"),
    Turn(
        role="assistant", calls=(ToolCall(id="a", name="t", arguments="{}"), ToolCall(id="b", name="t", arguments="{}"))
    ),
    Turn(role="tool", text="first", answers="a"),
    Turn(role="tool", text="second", answers="b"),
)


@pytest.mark.parametrize(
    ("when", "request_", "fits"),
    [
        ("{}", asked(), True),
        ("{turn: 1}", asked(), True),
        ("{turn: 2}", asked(), False),
        ("{turn: 2}", asked(*CALLED), True),
        ("{by: user}", asked(), True),
        ("{by: tool}", asked(), False),
        ("{by: tool, last: first}", asked(*CALLED), True),
        ("{by: tool, last: second}", asked(*CALLED), True),
        ("{last: greet}", asked(*CALLED), False),
        ("{last: '^greet'}", asked(), True),
        ("{last: sing}", asked(), False),
        ("{system: files}", asked(system="from files only"), True),
        ("{system: files}", asked(), False),
        ("{model: '^m'}", asked(), True),
        ("{model: '^n'}", asked(), False),
        ("{wire: openai}", asked(), True),
        ("{wire: bedrock}", asked(), False),
        ("{tools: [t]}", asked(tools=(Tool(name="t", schema={}),)), True),
        ("{tools: [t]}", asked(), False),
    ],
)
def test_a_cue_fits(when: str, request_: Asked, fits: bool) -> None:
    on = stage(f"cues: [{{when: {when}, say: yes-it-fits}}]")
    if fits:
        assert said(on, request_) == "yes-it-fits"
    else:
        with pytest.raises(Refusal) as caught:
            on.cue(request_)
        assert caught.value.kind is Kind.UNKNOWN


def test_the_first_cue_that_is_left_is_played() -> None:
    on = stage("cues: [{times: 2, say: a}, {say: b}]")
    assert [said(on, asked()) for _ in range(4)] == ["a", "a", "b", "b"]


def test_what_is_planted_goes_before_the_score_and_once() -> None:
    on = stage("cues: [{say: score}]")
    on.plant(read_cues("[{say: x, times: 2}, {say: y, when: {turn: 2}}]"))
    assert [said(on, asked()) for _ in range(3)] == ["x", "x", "score"]
    assert [one.say for one in on.planted] == ["y"]
    assert said(on, asked(*CALLED)) == "y"
    assert on.planted == []


def test_another_score_begins_anew() -> None:
    on = stage("cues: [{times: 1, say: a}, {say: b}]")
    assert said(on, asked()) == "a"
    on.rewrite(on.score)
    assert said(on, asked()) == "a"


def test_what_was_found_is_filled_in() -> None:
    on = stage(r"cues: [{when: {last: 'greet (?P<who>\w+)(?P<rest>!)?'}, say: 'hello ${who}${rest}, $$5 ${nobody}'}]")
    assert said(on, asked()) == "hello me, $5 ${nobody}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${a}", "1"),
        (["${a}", 2], ["1", 2]),
        ({"${a}": {"b": "x${a}"}}, {"${a}": {"b": "x1"}}),
        (None, None),
        (True, True),
        (2.5, 2.5),
    ],
)
def test_values_are_filled_in_wherever_they_are_text(value: JsonValue, expected: JsonValue) -> None:
    assert filled(value, {"a": "1"}) == expected


def test_an_answer_needs_a_schema_or_its_tool() -> None:
    on = stage("cues: [{answer: {a: 1}}]")
    request = asked()
    with pytest.raises(Refusal, match="no schema and offers no tool 'final_result'"):
        on.play(request, on.cue(request))
    forced = asked(tools=(Tool(name="out", schema={}),), forced="out")
    assert [one.name for one in on.play(forced, on.cue(forced)).calls] == ["out"]
    schema = asked(schema={"type": "object"})
    assert said(on, schema) == '{"a":1}'
    assert on.ledger.statement().requests == 2


@pytest.mark.parametrize(
    ("score", "said_"),
    [
        ("cues: [{}]", "says, calls or answers"),
        ("cues:\n- say: x\n  fault: {kind: overloaded}", "line 2"),
        ("cues: [{fault: {kind: silent}}]", "says, calls or answers"),
        ("cues: [{say: x, answer: {a: 1}}]", "stands alone"),
        ("cues: [{say: x, fault: {kind: broken_arguments}}]", "needs a call"),
        ("cues:\n- say: x\n- when: {last: '('}\n  say: y", "line 3: cues.1.when.last"),
        ("cues: [{say: x, wenn: {}}]", "cues.0.wenn"),
        ("cues: [{say: x, times: 0}]", "cues.0.times"),
        ("cues: [{say: x, fault: {kind: fire}}]", "fault"),
        ("cues: [{fault: {kind: overloaded, retry_after: -1}}]", "retry_after"),
        ("cues: [{say: x, fault: {kind: slow, seconds: .inf}}]", "seconds"),
        ("cues: [{say: x, say: y}]", "already on line 1"),
        ("cues: [", "this is not YAML"),
        ("[]", "valid dictionary"),
    ],
)
def test_what_is_no_score_is_refused_with_its_place(score: str, said_: str) -> None:
    with pytest.raises(ScoreError) as caught:
        read_score(score)
    assert said_ in str(caught.value)


def test_a_score_can_be_told_and_read_again() -> None:
    score = read_score("cues: [{when: {turn: 1}, call: [{tool: t, arguments: {a: [1, null]}}]}, {say: x}]")
    assert read_score(score.model_dump_json()) == score
    assert Score().cues == ()


def test_bills_add_up_and_are_forgotten() -> None:
    on = stage("cues: [{say: four}, {say: never}]")
    for _ in range(3):
        said(on, asked())
    statement = on.ledger.statement()
    assert (statement.requests, statement.input, statement.output) == (3, 6, 3)
    assert [one.number for one in statement.bills] == [1, 2, 3]
    on.ledger.forget()
    said(on, asked())
    assert [one.number for one in on.ledger.statement().bills] == [4]


def test_the_score_of_the_page_can_be_played() -> None:
    (written,) = [one for one in fences(PAGE) if one.startswith("cues:")]
    on = Stage([MODEL], read_score(written), TwinClock())
    reading = asked(Turn(role="user", text="read README.md"), tools=(Tool(name="read_file", schema={}),))
    played = on.play(reading, on.cue(reading))
    assert (played.text, played.calls[0].arguments) == ("Let me look into README.md.", '{"path":"README.md"}')


def test_the_page_tells_every_bad_day() -> None:
    kinds = {get_args(one.model_fields["kind"].annotation)[0] for one in (*get_args(Refusing), *get_args(Spoiling))}
    told = {line.split("`")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")}
    assert kinds <= told


def fences(page: Path) -> list[str]:
    """The blocks of YAML on a page."""
    return re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
