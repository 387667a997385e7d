"""The form of a reader's answer: what it may say, which label each field has, and where a plan lets it stand."""

from typing import Any, Final

import pytest
from pydantic import JsonValue, TypeAdapter, ValidationError

from hitl.plan_language.answer_form import AnswerField, Fields, mistakes_of
from tests.hitl.plan_language.planning import FOUND, MOTTO, bound, delete, plan_of, said

FORM = TypeAdapter[tuple[AnswerField, ...]](Fields)
TEXT = "Version 2.4.1, of May."
VERSION: Final[dict[str, JsonValue]] = {"name": "version", "kind": "text", "copied": True}
BRANCH: Final[dict[str, JsonValue]] = {"name": "branch", "kind": "choice", "choices": ["old", "wip"]}
COUNT: Final[dict[str, JsonValue]] = {"name": "count", "kind": "integer", "at_least": 1, "at_most": 9}


def wrong(field: dict[str, Any], value: JsonValue) -> list[str]:
    return [one.says for one in mistakes_of({field["name"]: value}, FORM.validate_python([field]), TEXT)]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (VERSION, ["2.4.1", None], ["2.5", "", 2, "x" * 201, True, ["2.4.1"], "Version\n2.4.1", "2.4.1\u202e"]),
        ({"name": "a", "kind": "text", "longest": 3}, ["abc", None], ["abcd", "a\u200b"]),
        (BRANCH, ["old", "wip", None], ["main", "", "old ", "OLD", 0, ["old"], {"old": 1}]),
        (COUNT, [1, 9, None], [0, 10, 1.5, "1", True, [1], 10**400]),
        ({"name": "n", "kind": "number"}, [1, 1.5, -2, None], ["1", True, float("nan"), float("inf"), 2**60]),
        ({"name": "b", "kind": "boolean"}, [True, False, None], [0, 1, "true", "yes"]),
    ],
)
def test_an_answer_is_of_its_kind_or_a_mistake(field: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    for one in good:
        assert wrong(field, one) == [], one
    for one in bad:
        assert wrong(field, one), one


@pytest.mark.parametrize(
    "answer", [[], "2.4.1", None, {}, {"version": "2.4.1", "more": 1}, {"Version": "2.4.1"}, {"answers": {}}]
)
def test_an_answer_has_every_field_and_no_other(answer: JsonValue) -> None:
    assert mistakes_of(answer, FORM.validate_python([VERSION]), TEXT)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "Version"}, "pattern"),
        ({"name": "$from"}, "pattern"),
        ({"kind": "object"}, "'text', 'integer'"),
        ({"choices": ["a"]}, "'choices' is for a field of kind choice"),
        ({"at_least": 1}, "'at_least' is for a field of kind integer or number"),
        ({"kind": "choice", "choices": ["a"]}, "'copied' is for a field of kind text"),
        ({"pattern": ".*"}, "Extra inputs"),
        ({"asks": "hidden\u200b"}, "U+200B"),
        ({"longest": 5_000}, "less than or equal to 4000"),
    ],
)
def test_a_form_takes_what_is_declared_and_nothing_else(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=r"(?s).*") as caught:
        FORM.validate_python([{"name": "version", "kind": "text", "copied": True, **change}])
    assert says in str(caught.value)


def read(*fields: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    inputs: dict[str, JsonValue] = {
        "text": {"$from": "motto.content"},
        "question": "What does it say?",
        "fields": list(fields),
        **more,
    }
    return {"id": "read", "goal": "ReadText", "inputs": inputs}


def of(act: JsonValue, *fields: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    return plan_of(explore=[MOTTO, read(*fields, **more)], act=[act])


def test_a_text_that_a_reader_answers_names_nothing() -> None:
    problems = said(of(delete({"$from": "read.answers.version"}), VERSION))
    assert len(problems) == 1
    assert "'read.answers.version' is text that a stranger may have written, and 'branch' says what" in problems[0]


def test_a_choice_among_values_that_were_said_is_closed_and_bound() -> None:
    plan = of(delete({"$from": "read.answers.branch"}), BRANCH)
    assert said(plan) == []
    found = bound(plan, {"motto": FOUND, "read": {"answers": {"branch": "wip"}}}).plan
    assert found is not None
    assert found.steps[0].inputs["branch"] == "wip"
    assert [one.trust for one in found.steps[0].origins] == ["closed"]


def test_what_the_text_does_not_say_deletes_nothing() -> None:
    found = bound(
        of(delete({"$from": "read.answers.branch"}), BRANCH), {"motto": FOUND, "read": {"answers": {"branch": None}}}
    )
    assert found.plan is None
    assert found.mistakes[0].at == "/act/0/inputs/branch"


def roll_back(version: JsonValue) -> dict[str, JsonValue]:
    return {
        "id": "back",
        "goal": "RollBackStack",
        "inputs": {"repository": "acme/infra", "stack": "dev", "version": version},
    }


def test_a_number_without_bounds_is_a_strangers_and_one_between_two_is_closed() -> None:
    free: JsonValue = {"name": "count", "kind": "integer"}
    act = roll_back({"$from": "read.answers.count"})
    assert "is text that a stranger may have written" in said(of(act, free))[0]
    assert said(of(act, COUNT)) == []
    assert said(of(act, free), {"version": ["3"]}) == []
    results: Any = {"motto": FOUND, "read": {"answers": {"count": 4}}}
    assert bound(of(act, COUNT), results).plan is not None
    assert "'4' came from 'read.answers.count'" in bound(of(act, free), results, {"version": ["3"]}).mistakes[0].says
    assert bound(of(act, free), results, {"version": ["4"]}).plan is not None


def test_what_is_answered_is_known_before_anything_is_read() -> None:
    assert (
        "has no 'versions'; did you mean 'version'" in said(of(delete({"$from": "read.answers.versions"}), VERSION))[0]
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"$from": "motto.content"},
        [{"name": "branch", "kind": "choice", "choices": {"$from": "motto.content"}}],
        [{"name": "branch", "kind": "choice", "choices": [{"$from": "motto.content"}]}],
        [{"name": {"$from": "motto.content"}, "kind": "text"}],
    ],
)
def test_what_was_read_says_nothing_of_the_form(fields: JsonValue) -> None:
    plan = plan_of(explore=[MOTTO, read(fields=fields)], act=[delete({"$from": "read.answers.branch"})])
    assert any("'fields' says what can be referred to; write the value itself" in one for one in said(plan))
    assert any("'branch' says what is touched" in one for one in said(plan))


def labels(plan: dict[str, JsonValue], results: Any) -> JsonValue:
    return bound(plan, results).explore[0].inputs["labels"]


STACK: Final[dict[str, JsonValue]] = {
    "id": "motto",
    "goal": "InspectStack",
    "inputs": {"repository": "acme/infra", "stack": "dev"},
}


def test_what_a_reader_is_told_is_as_private_as_where_it_comes_from() -> None:
    plan = of(delete("old"), VERSION, labels=["public"])
    assert labels(plan, {"motto": FOUND}) == ["public", "repository"]
    private = plan_of(explore=[STACK, read(VERSION, text={"$from": "motto.reason"})], act=[delete("old")])
    assert labels(private, {"motto": {"reason": "x"}}) == ["private"]


def test_labels_go_on_through_readers_comparisons_and_loops() -> None:
    again = {**read(VERSION, text={"$from": "read.answers.version"}), "id": "again"}
    plan = plan_of(explore=[STACK, read(VERSION, text={"$from": "motto.reason"}), again], act=[delete("old")])
    results: Any = {"motto": {"reason": "x"}, "read": {"answers": {"version": "x"}}}
    assert labels(plan, results) == ["private", "repository"]
    when: JsonValue = {"$from": "motto.reason", "is": "!=", "to": None}
    only = {**read(VERSION, text="x", labels=["public"]), "when": when}
    assert labels(plan_of(explore=[STACK, only], act=[delete("old")]), {"motto": {"reason": "x"}}) == [
        "private",
        "public",
    ]
    flows = {"id": "flows", "goal": "FlowStatus", "inputs": {"names": ["a/b/c"]}}
    each: JsonValue = {"$from": "flows.missing", "at_most": 3}
    loop = {**read(VERSION, text={"$from": "item"}, labels=["public"]), "for_each": each}
    found: Any = {"flows": {"missing": ["one"]}}
    assert labels(plan_of(explore=[flows, loop], act=[delete("old")]), found) == ["private", "public"]
