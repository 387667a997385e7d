"""What a job shows, as text: our own words, and those of others in a block that they cannot leave."""

import pytest
from pydantic import JsonValue

from connectors.github.checks import MOST_TEXT
from workflows.agent.history_contracts import StepTold
from workflows.contracts import State
from workflows.github.following_contracts import GoalFollowed
from workflows.github.shown import (
    MOST_ANNOTATIONS,
    End,
    annotations_of,
    conclusion_of,
    ended,
    fenced,
    log_of,
    pushed_by,
    result_comment,
    under_way,
    waiting_comment,
)

EVIL = (
    "```\n# Owned @acme/everybody\n[click](https://evil.example)\n````\n<img src=x>",
    "``````\n@acme/everybody",
    "\u202eabc ```` x",
    "a" * 50_000,
)


def outside(text: str) -> str:
    """What GitHub would render: all but the fenced blocks, read as CommonMark reads them."""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        ticks = len(line) - len(line.lstrip("`"))
        if not fence and ticks >= 3:
            fence = "`" * ticks
        elif fence and ticks >= len(fence) and not line.strip("`").strip():
            fence = ""
        elif not fence:
            kept.append(line)
    assert fence == "", "a block is left open"
    return "\n".join(kept)


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_that_others_said_leaves_its_block(evil: str) -> None:
    end = End(State.FAILED, evil, {"url": evil})
    followed = GoalFollowed(mark="1", state="waiting", now=evil, steps=(StepTold(at="t", name="n", why=evil),))
    honest = End(State.FAILED, "honest", {})
    shown = {
        result_comment("ReadFile", end, link=None, moved=False): result_comment(
            "ReadFile", honest, link=None, moved=False
        ),
        under_way("ReadFile", followed).summary: under_way(
            "ReadFile", followed.model_copy(update={"now": "honest"})
        ).summary,
        log_of(followed): log_of(followed.model_copy(update={"steps": (StepTold(at="t", name="n", why="x"),)})),
    }
    for theirs, ours in shown.items():
        assert outside(theirs) == outside(ours)
        assert len(theirs) < MOST_TEXT


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://github.com/acme/shop/pull/7", True),
        ("https://github.com/acme/shop/pull/7) @acme/everybody", False),
        ("javascript:alert(1)", False),
        ("http://github.com/acme", False),
        ("http://127.0.0.1:8300/acme/shop/pull/7", True),
        ("http://127.0.0.1.evil.example/acme", False),
        ("https://github.com/a\n# x", False),
        ({"a": "b"}, False),
    ],
)
def test_a_link_of_a_result_is_one_or_is_not_shown(url: object, *, told: bool) -> None:
    end = End(State.COMPLETED, None, {"url": url})  # pyright: ignore[reportArgumentType] - any JSON
    assert ("Result: " in result_comment("ReadFile", end, link=None, moved=False)) is told


def test_every_end_has_a_conclusion_and_a_refusal_is_not_broken() -> None:
    said = {state: conclusion_of(state) for state in State}
    assert said[State.COMPLETED] == "success"
    for refused in (State.DENIED, State.REJECTED, State.REFUSED, State.EXPIRED, State.WITHDRAWN):
        assert said[refused] == "neutral"
    for broken in (State.FAILED, State.UNKNOWN, State.PARTIALLY_APPLIED, State.UNDONE):
        assert said[broken] == "failure"


def test_buttons_are_those_that_make_sense_then() -> None:
    def buttons(state: str) -> list[str]:
        return [one.identifier for one in under_way("G", GoalFollowed(mark="", state=state)).actions]

    assert (buttons("running"), buttons("waiting"), buttons("parked")) == (
        ["cancel"],
        ["approve", "cancel"],
        ["cancel"],
    )
    assert [one.identifier for one in ended("G", End("failed", None, {}), moved=False).actions] == ["retry"]
    assert ended("G", End("completed", None, {}), moved=False).actions == ()


def test_remarks_are_taken_where_they_are_remarks() -> None:
    remark: dict[str, JsonValue] = {
        "path": "a.py",
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "failure",
        "message": "m",
    }
    many: list[JsonValue] = [remark] * (MOST_ANNOTATIONS + 1)
    assert len(annotations_of({"annotations": many})) == MOST_ANNOTATIONS
    long: list[JsonValue] = [{**remark, "message": "x" * 70_000}, {**remark, "path": "p" * 5_000}]
    assert [len(one.message) for one in annotations_of({"annotations": long})] == [1_000]
    for wrong in ([{**remark, "annotation_level": "fatal"}], "x", 5, [{"path": "a"}], {"a": 1}, None):
        assert annotations_of({"annotations": wrong}) == ()  # pyright: ignore[reportArgumentType] - any JSON


def test_what_the_steps_of_a_plan_made_is_linked_once_each() -> None:
    page = "https://github.com/acme/shop/pull/"
    steps = [{"id": "a", "url": f"{page}7"}, {"id": "b"}, {"id": "c", "url": "javascript:x"}, 3]
    steps += [{"url": f"{page}{number}"} for number in range(7, 40)]
    said = result_comment("AskFor", End(State.COMPLETED, None, {"steps": steps}), link=None, moved=False)  # pyright: ignore[reportArgumentType] - any JSON
    assert said.count("Result: ") == said.count(page) == 10


@pytest.mark.parametrize("pushed", ["main", "a" * 39, "a" * 40 + "\n", 7, None])
def test_what_a_goal_pushed_is_a_commit_or_nothing(pushed: JsonValue) -> None:
    assert pushed_by({"pushed": pushed}) is None
    assert pushed_by({"pushed": "a" * 40}) == "a" * 40


def test_a_wait_says_what_to_type_and_nothing_that_an_id_could_smuggle_in() -> None:
    waits = GoalFollowed(mark="1", state="waiting", approval="approval/a/1", digest=f"sha256:{'ab' * 32}")
    said = waiting_comment("AskFor", waits, link=None)
    assert "`/banksman approve approval/a/1 abababababab`\n\nsays yes to exactly that plan" in said
    for approval in ("", "approval/`@everyone", "a b"):
        assert "/banksman" not in waiting_comment("AskFor", waits.model_copy(update={"approval": approval}), link=None)


def test_a_short_text_is_whole() -> None:
    assert fenced("one\ntwo") == "```text\none\ntwo\n```"
