"""The checker: every mistake at once, each with its place and what was probably meant."""

from typing import Any

import pytest
from pydantic import JsonValue

from hitl.plan_language.language import MOST_BYTES, read_text
from hitl.protocol import Effect
from tests.hitl.plan_language.planning import MOTTO, OPEN, checked, delete, plan_of, said, step
from workflows.agent.described import described


def test_a_right_plan_has_no_mistake_and_its_strongest_effect() -> None:
    found = checked(plan_of())
    assert (found.mistakes, found.effect, found.steps) == ((), Effect.WRITE, 2)
    assert checked(plan_of(act=[OPEN, delete("old")])).effect is Effect.DESTRUCTIVE
    assert checked(plan_of(act=[])).effect is Effect.READ


def test_every_mistake_is_told_at_once_in_the_order_of_the_plan() -> None:
    wrong = [
        step(OPEN, goal="OpenPulRequest"),
        step(OPEN, id="two", inputs={"repository": "shop", "titlee": "x", "files": [{"path": "a", "delete": True}]}),
        step(OPEN, id="three", wen=1),
        step(OPEN, id="four", when={"$from": "moto.size", "is": "<", "to": "x"}),
    ]
    told = said(plan_of(act=wrong))
    assert [one.split(":")[0] for one in told] == [
        "/act/0/goal",
        "/act/1/inputs/repository",
        "/act/1/inputs/title",
        "/act/1/inputs/titlee",
        "/act/2/wen",
        "/act/3/when/$from",
        "/act/3/when/to",
    ]
    assert "did you mean 'OpenPullRequest'?" in told[0]
    assert "did you mean 'title'?" in told[3]
    assert "did you mean 'when'?" in told[4]
    assert "did you mean 'motto'?" in told[5]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("motto.contents", "'motto' has no 'contents'; did you mean 'content'?"),
        ("motto.content.x", "'motto.content' is null or string and has no 'x'"),
        ("open.url", "comes later or is the step itself"),
        ("item.x", "'item' is there in a step with a 'for_each' alone"),
        ("motto.size", "'motto.size' is integer or null, and here goes null or string"),
        ("Motto", "a reference is STEP.FIELD"),
    ],
)
def test_a_reference_points_to_a_fitting_field_of_an_earlier_step(source: str, says: str) -> None:
    inputs: dict[str, JsonValue] = {
        "repository": "acme/site",
        "title": "x",
        "files": [{"path": "a", "content": {"$from": source}}],
    }
    told = (
        said(plan_of(act=[step(OPEN, inputs=inputs)]))
        if source != "Motto"
        else said(plan_of(act=[step(OPEN, for_each={"$from": source, "at_most": 2})]))
    )
    assert any(says in one for one in told), told


def test_what_acts_is_referred_to_by_nobody_and_the_way_out_is_named() -> None:
    later = delete({"$from": "open.branch"})
    [told] = said(plan_of(act=[OPEN, later]), {"branch": ("a",)})
    assert told.startswith("/act/1/inputs/branch: 'open' acts")
    assert "write a second one" in told


def test_a_reference_is_nothing_else() -> None:
    inputs: dict[str, JsonValue] = {"repository": "acme/shop", "path": {"$from": "motto.content", "or": "x"}}
    assert "is a reference and nothing else" in said(plan_of(act=[step(MOTTO, id="b", inputs=inputs)]))[0]


@pytest.mark.parametrize("goal", [step(OPEN, inputs=OPEN["inputs"]), delete("old")])
def test_what_explores_only_reads(goal: dict[str, JsonValue]) -> None:
    assert any("'explore' only reads; move the step to 'act'" in one for one in said(plan_of(explore=[goal], act=[])))


def test_no_cycle_can_be_written() -> None:
    inputs: dict[str, JsonValue] = {"repository": "acme/shop", "path": "a", "ref": {"$from": "b.commit"}}
    one, other = (
        step(MOTTO, id="a", inputs=inputs),
        step(MOTTO, id="b", inputs={**inputs, "ref": {"$from": "a.commit"}}),
    )
    told = said(plan_of(explore=[one, other], act=[]))
    assert len(told) == 1
    assert told[0].startswith("/explore/0/inputs/ref: 'b' comes later")
    assert "the step itself" in said(plan_of(explore=[step(one, inputs={**inputs, "ref": {"$from": "a.commit"}})]))[0]


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (
            plan_of(act=[step(MOTTO, id=f"s{number}", inputs={}) for number in range(1000)]),
            "/act: it has 1000 steps, and a plan",
        ),
        (plan_of(act=[step(MOTTO, id=f"s{number}") for number in range(50)]), "it may take 51 steps, and a plan"),
        (plan_of(act=[step(OPEN, inputs={"body": "x" * MOST_BYTES})]), "bytes long, and at most"),
        (plan_of(act=[step(OPEN, id="motto")]), "'motto' is the id of an earlier step too"),
        (plan_of(act=[step(OPEN, id="item")]), "choose another"),
        (plan_of(act=[step(OPEN, id="Ünï")]), "an id is a small letter"),
        (plan_of(explore=[], act=[]), "it has no step"),
        ({**plan_of(), "act": {}}, "/act: it is not a list"),
        (plan_of(version=2), "/version: this release reads version 1"),
        (plan_of(version=True), "/version: this release reads version 1"),
        (plan_of(schema="x"), "/schema: this is not a plan of goals"),
        (plan_of(steps=[]), "/steps: a plan has no 'steps'"),
        (plan_of(title="a\u202eb"), "/title: it holds the character U+202E"),
        (plan_of(act=[{"id": "x"}]), "/act/0/goal: 'goal' is missing"),
        (plan_of(act=[7]), "/act/0"),
        ([], "it is not an object"),
    ],
)
def test_bounds_and_form(plan: Any, says: str) -> None:
    told = said(plan)
    assert any(says in one for one in told), told


def test_a_for_each_counts_as_often_as_it_may_be_taken() -> None:
    flows = step(MOTTO, id="flows", goal="FlowStatus", inputs={"names": ["acme/a"]})
    act = step(OPEN, for_each={"$from": "flows.missing", "at_most": 20}, inputs={"repository": "acme/shop"})
    assert checked(plan_of(explore=[flows], act=[act])).steps == 21
    assert any(
        "less than or equal to 20" in one
        for one in said(plan_of(explore=[flows], act=[step(act, for_each={"$from": "flows.missing", "at_most": 21})]))
    )


def test_a_list_is_wanted_to_go_through() -> None:
    each = step(MOTTO, id="b", for_each={"$from": "motto.content", "at_most": 2})
    assert any("and no list; refer to a list" in one for one in said(plan_of(act=[each])))


def test_many_results_are_told_from_one() -> None:
    lists = {"path": ("a",)}
    flows = step(MOTTO, id="flows", goal="FlowStatus", inputs={"names": ["acme/a"]})
    each = step(MOTTO, id="each", for_each={"$from": "flows.missing", "at_most": 2})
    after = delete("old", when={"$from": "each.size", "is": ">", "to": 1})
    told = said(plan_of(explore=[flows, each], act=[after]), lists)
    assert told == [
        "/act/0/when/$from: 'each' is taken for each of a list, and so has many results; write 'each.0.size'"
    ]


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ({"$from": "motto.content", "is": "<", "to": 1}, "compares numbers, and 'motto.content' is null or string"),
        ({"$from": "motto.size", "is": "<", "to": True}, "compares numbers; write one"),
        ({"$from": "motto.size", "is": "in", "to": 1}, "'in' wants a list"),
        ({"$from": "motto.size", "is": "==", "to": {"$from": "motto.size"}}, "a comparison is with a literal"),
        ({"$from": "motto.size", "is": "~", "to": 1}, "input should be '=='"),
        ({"$from": "motto.size", "is": "=="}, "'to' is missing"),
    ],
)
def test_a_comparison_is_small(when: JsonValue, says: str) -> None:
    told = said(plan_of(act=[step(OPEN, when=when)]))
    assert any(says in one for one in told), told


def test_a_plan_runs_no_plan() -> None:
    nested = step(MOTTO, id="b", goal="RunPlan", inputs={"plan": plan_of(act=[])})
    told = said(plan_of(act=[nested]))
    assert any("a plan runs no other plan" in one or "there is no goal 'RunPlan'" in one for one in told)


def test_a_name_that_stands_twice_is_refused_and_so_is_what_is_no_json() -> None:
    assert "is there twice in one object" in read_text('{"title": "a", "title": "b"}').mistakes[0].says
    assert "it is not JSON" in read_text("{").mistakes[0].says
    assert read_text("[" * 100_000).mistakes != ()


def test_what_is_nested_too_deeply_is_told() -> None:
    value: JsonValue = "x"
    for _ in range(60):
        value = [value]
    assert any("nested deeper" in one for one in said(plan_of(act=[step(OPEN, inputs={"files": value})])))


def test_a_step_that_cannot_be_read_makes_no_mistake_of_those_that_refer_to_it() -> None:
    told = said(plan_of(explore=[step(MOTTO, goal=7)]))
    assert [one.split(":")[0] for one in told] == ["/explore/0/goal"]


def test_the_example_of_every_goal_is_a_step_and_may_be_the_whole_plan() -> None:
    from workflows.catalogue import GOALS  # noqa: PLC0415 - of this test alone

    for goal in GOALS:
        if not described()[goal.name].why_not:
            inputs = goal.example.model_dump(mode="json", exclude_unset=True)
            assert said(plan_of(explore=[], act=[{"id": "a", "goal": goal.name, "inputs": inputs}])) == [], goal.name
