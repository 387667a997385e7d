"""What a test asks of a running twin."""

import pytest

from tests.connectors.models.twin.callers import Caller, Message, Question
from tests.connectors.models.twin.conftest import SCORE, bills, plant
from tests.connectors.serving import ServedTwin

GREET = Question(messages=(Message(role="user", text="greet me"),))


def test_another_score_is_played_from_now_on(ask: Caller, twin: ServedTwin) -> None:
    twin.http.put("/_twin/score", content="cues: [{say: adieu}]").raise_for_status()
    assert ask.ask(GREET, stream=False).text == "adieu"
    assert twin.http.get("/_twin/score").json()["cues"][0]["say"] == "adieu"
    twin.http.put("/_twin/score", content=SCORE).raise_for_status()
    assert ask.ask(GREET, stream=False).text == "Good morning, and welcome."


@pytest.mark.parametrize(("method", "path"), [("PUT", "score"), ("POST", "cues")])
def test_what_cannot_be_played_is_refused_and_changes_nothing(twin: ServedTwin, method: str, path: str) -> None:
    before = twin.http.get("/_twin/score").json()
    answer = twin.http.request(method, f"/_twin/{path}", content="cues: [{wenn: 1}]")
    assert answer.status_code == 422
    assert "line 1" in answer.json()["message"]
    assert twin.http.get("/_twin/score").json() == before
    assert twin.http.get("/_twin/cues").json() == []


def test_cues_are_shown_until_they_are_used_up_or_forgotten(ask: Caller, twin: ServedTwin) -> None:
    plant(twin, {"say": "twice", "times": 2})
    assert ask.ask(GREET, stream=False).text == "twice"
    assert [one["times"] for one in twin.http.get("/_twin/cues").json()] == [1]
    twin.http.delete("/_twin/cues").raise_for_status()
    assert ask.ask(GREET, stream=False).text == "Good morning, and welcome."


def test_a_cue_may_be_for_one_wire(ask: Caller, twin: ServedTwin) -> None:
    plant(twin, {"say": "for you", "when": {"wire": ask.wire}})
    other = "bedrock" if ask.wire != "bedrock" else "openai"
    plant(twin, {"say": "for others", "when": {"wire": other}})
    assert ask.ask(GREET, stream=False).text == "for you"
    assert [one["say"] for one in twin.http.get("/_twin/cues").json()] == ["for others"]


def test_bills_are_forgotten(ask: Caller, twin: ServedTwin) -> None:
    ask.ask(GREET, stream=False)
    assert bills(twin)["requests"] == 1
    twin.http.delete("/_twin/bills").raise_for_status()
    assert bills(twin) == {"requests": 0, "input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "bills": []}


def test_the_faults_of_all_twins_are_there_too(ask: Caller, twin: ServedTwin) -> None:
    twin.plant(kind="drop_after_effect", path="chat|messages|converse")
    with pytest.raises(Exception):  # noqa: B017, PT011 - each SDK has its own
        ask.ask(GREET, stream=False)
    assert bills(twin)["requests"] == 1
    assert [one["fault"] for one in twin.requests()] == ["drop_after_effect"]
