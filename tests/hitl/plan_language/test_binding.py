"""Bind, then approve: what is bound is of literals alone, and a stranger's text names nothing that is in no list."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from hitl.plan_language.binding import holds
from hitl.plan_language.bound import BoundError, BoundPlan, read_bound
from hitl.plan_language.language import When
from hitl.plan_language.references import is_reference, walk
from hitl.protocol import Effect
from tests.hitl.plan_language.planning import COMMIT, FOUND, MOTTO, OPEN, bound, delete, plan_of, said, step

FLOWS = {"id": "flows", "goal": "FlowStatus", "inputs": {"names": ["acme/a"]}}


def plan_with(results: dict[str, dict[str, JsonValue]], value: Any, lists: Any = None) -> BoundPlan:
    found = bound(value, results, lists)
    assert found.plan is not None, found
    return found.plan


def refused(results: dict[str, dict[str, JsonValue]], value: Any, lists: Any = None) -> str:
    found = bound(value, results, lists)
    assert found.plan is None, found
    [one] = found.mistakes
    return one.line()


def test_what_explores_is_bound_in_waves_and_what_acts_after_it() -> None:
    again = step(MOTTO, id="again", inputs={"repository": "acme/shop", "path": "A", "ref": {"$from": "motto.commit"}})
    value = plan_of(explore=[MOTTO, again])
    assert [one.id for one in bound(value, {}).explore] == ["motto"]
    second = bound(value, {"motto": FOUND})
    assert [(one.id, one.inputs["ref"]) for one in second.explore] == [("again", COMMIT)]
    assert second.plan is None
    plan = plan_with({"motto": FOUND, "again": FOUND}, value)
    assert plan.effect is Effect.WRITE
    assert plan.steps[0].inputs["files"] == [{"path": "MOTTO.md", "content": "Onwards"}]
    assert [(one.at, one.trust) for one in plan.steps[0].origins] == [("/files/0/content", "untrusted")]


def test_side_by_side_what_can_run_now_runs_now() -> None:
    assert [one.id for one in bound(plan_of(explore=[MOTTO, step(MOTTO, id="b")]), {}).explore] == ["motto", "b"]


@pytest.mark.parametrize(
    "branch",
    ["main", "old ", "оld", "old\u200b", "OLD", "old/../main", "", "old\n", "ｏｌｄ", "o" * 300],
    ids=ascii,
)
def test_a_strangers_text_names_nothing_that_is_in_no_list_whatever_it_looks_like(branch: str) -> None:
    value = plan_of(act=[delete({"$from": "motto.content"})])
    told = refused({"motto": {**FOUND, "content": branch}}, value, {"branch": ("old",)})
    assert "came from 'motto.content', where a stranger may have written it, and is not in the closed list" in told


def test_a_strangers_text_that_is_in_the_list_is_taken_and_marked() -> None:
    value = plan_of(act=[delete({"$from": "motto.content"})])
    plan = plan_with({"motto": {**FOUND, "content": "old"}}, value, {"branch": ("old",)})
    assert (plan.steps[0].inputs["branch"], plan.steps[0].origins[0].trust) == ("old", "listed")


@pytest.mark.parametrize("place", ["repository", "base"])
def test_without_a_list_a_stranger_names_no_repository_and_no_base(place: str) -> None:
    inputs: Any = OPEN["inputs"]
    smuggled = step(OPEN, inputs={**inputs, place: {"$from": "motto.content"}})
    [told] = said(plan_of(act=[smuggled]))
    assert told.startswith(f"/act/0/inputs/{place}: 'motto.content' is text that a stranger may have written")


def test_a_command_is_no_strangers_either_word_by_word() -> None:
    inputs: JsonValue = {"repository": "acme/shop", "command": ["sh", "-c", {"$from": "motto.content"}]}
    assert (
        "'command' says what is touched"
        in said(plan_of(act=[{"id": "r", "goal": "RunInSandbox", "inputs": inputs}]))[0]
    )


def test_the_list_of_one_field_is_no_list_of_another() -> None:
    assert said(plan_of(act=[delete({"$from": "motto.content"})]), {"repository": ("old",)}) != []


def test_a_digest_is_closed_only_where_it_is_one() -> None:
    again = step(MOTTO, id="again", inputs={"repository": "acme/shop", "path": "A", "ref": {"$from": "motto.commit"}})
    value = plan_of(explore=[MOTTO, again], act=[])
    told = refused({"motto": {**FOUND, "commit": "refs/heads/evil"}}, value)
    assert "'refs/heads/evil' came from 'motto.commit'" in told


def test_what_is_too_much_for_its_loop_is_told() -> None:
    each = step(
        OPEN,
        for_each={"$from": "flows.missing", "at_most": 2},
        inputs={
            "repository": "acme/site",
            "title": {"$from": "item"},
            "files": [{"path": "A", "content": {"$from": "item"}}],
        },
    )
    value = plan_of(explore=[FLOWS], act=[each])
    assert "holds 3, and 'at_most' lets it hold 2" in refused({"flows": {"missing": ["a", "b", "c"]}}, value)
    plan = plan_with({"flows": {"missing": ["a", "b"]}}, value)
    assert [(one.id, one.inputs["title"]) for one in plan.steps] == [("open/1", "a"), ("open/2", "b")]
    none = plan_with({"flows": {"missing": []}}, value)
    assert (none.steps, none.effect) == ((), Effect.READ)
    assert [(one.id, one.why) for one in none.left_out] == [("open", "flows.missing is empty")]


def test_what_does_not_hold_is_left_out_and_said_so() -> None:
    value = plan_of(act=[step(OPEN, when={"$from": "motto.size", "is": ">", "to": 9})])
    plan = plan_with({"motto": FOUND}, value)
    assert (plan.steps, plan.left_out[0].id, plan.left_out[0].why) == (
        (),
        "open",
        "motto.size > 9 does not hold: it is 5",
    )


def test_what_refers_to_a_step_that_was_left_out_is_told_why() -> None:
    maybe = step(MOTTO, id="maybe", when={"$from": "motto.size", "is": ">", "to": 9})
    act = step(
        OPEN,
        inputs={
            "repository": "acme/site",
            "title": "x",
            "files": [{"path": "A", "content": {"$from": "maybe.content"}}],
        },
    )
    told = refused({"motto": FOUND}, plan_of(explore=[MOTTO, maybe], act=[act]))
    assert "'maybe' was left out (motto.size > 9 does not hold: it is 5)" in told
    assert "give both the same 'when'" in told


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"content": None}, "needs exactly one of"),
        ({}, "'motto' has no 'content'"),
        ({"content": "x" * 100_000}, "can be shown"),
        ({"content": "x" * 300_000}, "at most 262144 are taken"),
        ({"content": "\ud800"}, "surrogates not allowed"),
        ({"content": {"path": 7}}, "valid string"),
    ],
)
def test_what_a_provider_answers_otherwise_than_it_said_is_told(found: Any, says: str) -> None:
    told = bound(plan_of(), {"motto": found})
    assert told.plan is None
    assert any(says in one.says for one in told.mistakes), told.mistakes


@pytest.mark.parametrize(
    ("comparison", "to", "value", "expected"),
    [
        ("==", 1, 1, True),
        ("==", 1, True, False),
        ("==", 1, 1.0, True),
        ("!=", "a", "b", True),
        ("<", 2, 1, True),
        ("<", 2, "1", False),
        ("<=", 2, None, False),
        (">", 0, True, False),
        (">=", 2, 2, True),
        ("in", ["a", "b"], "b", True),
        ("in", ["a"], ["a"], False),
    ],
)
def test_a_comparison_is_total(comparison: Any, to: JsonValue, value: JsonValue, *, expected: bool) -> None:
    assert holds(When.model_validate({"$from": "a.b", "is": comparison, "to": to}), value) is expected


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(content=TEXTS, size=st.integers(0, 20), body=TEXTS)
@settings(max_examples=60, deadline=None)
def test_whatever_is_found_a_bound_plan_has_only_literals_and_reads_back_as_it_is(
    content: str, size: int, body: str
) -> None:
    inputs: Any = OPEN["inputs"]
    first = step(OPEN, inputs={**inputs, "body": body})
    second = step(OPEN, id="b", when={"$from": "motto.size", "is": "<", "to": 10}, inputs={**inputs, "body": body})
    plan = plan_with({"motto": {**FOUND, "content": content, "size": size}}, plan_of(act=[first, second]))
    assert len(plan.steps) + len(plan.left_out) == 2
    for one in plan.steps:
        assert not any(is_reference(value) for _, value in walk(dict(one.inputs)))
        assert one.inputs["files"] == [{"path": "MOTTO.md", "content": content}]
    assert read_bound(plan.text()) == plan


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_change_of_any_one_byte_is_refused_or_has_another_digest(data: st.DataObject) -> None:
    plan = plan_with({"motto": FOUND}, plan_of(act=[OPEN, delete("old")]))
    written = plan.text().encode()
    at = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda one: one != written[at]))
    changed = written[:at] + bytes([other]) + written[at + 1 :]
    try:
        read = read_bound(changed.decode())
    except (BoundError, UnicodeDecodeError):
        return
    assert read.digest() != plan.digest()
    assert read.text().encode() == changed


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_change_of_any_one_character_of_an_input_changes_the_digest(data: st.DataObject) -> None:
    content = data.draw(TEXTS.filter(bool))
    at = data.draw(st.integers(0, len(content) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]).filter(lambda one: one != content[at]))
    changed = content[:at] + other + content[at + 1 :]
    one, two = (plan_with({"motto": {**FOUND, "content": text}}, plan_of()) for text in (content, changed))
    assert one.digest() != two.digest()


def test_the_digest_is_of_the_plan_it_was_bound_from_as_well() -> None:
    one = plan_with({"motto": FOUND}, plan_of())
    two = plan_with({"motto": FOUND}, plan_of(title="Another"))
    literal: Any = step(OPEN, inputs={**dict(OPEN["inputs"]), "files": [{"path": "MOTTO.md", "content": "Onwards"}]})  # pyright: ignore[reportArgumentType, reportCallIssue] - JSON
    three = plan_with({"motto": FOUND}, plan_of(act=[literal]))
    assert len({one.digest(), two.digest(), three.digest()}) == 3


@pytest.mark.parametrize("field", ["schema", "version", "title", "of", "effect", "steps", "left_out"])
def test_what_leaves_something_out_is_no_bound_plan(field: str) -> None:
    value = plan_with({"motto": FOUND}, plan_of()).value()
    del value[field]
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    with pytest.raises(BoundError, match="refused"):
        read_bound(text)
