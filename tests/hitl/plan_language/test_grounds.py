"""What a plan of a model may name: words that people wrote, and closed lists."""

from typing import Any

import pytest

from hitl.plan_language.grounds import NOT_A_MODELS, ungrounded
from hitl.plan_language.language import read_plan
from hitl.plan_language.offered import offered
from tests.hitl.plan_language.planning import MOTTO, OPEN, delete, plan_of, step
from workflows.agent.described import described


def found(act: Any, *words: str, explore: Any = (), **lists: tuple[str, ...]) -> list[str]:
    plan = plan_of(explore=list(explore), act=[act])
    return [one.at for one in ungrounded(read_plan(plan), described(), words, lists)]


BRANCH = "/act/0/inputs/branch"


@pytest.mark.parametrize(
    "words",
    [
        "delete demo of acme/shop",
        "delete 'demo' of acme/shop",
        "acme/shop: demo.",
        "acme/shop, demo, now",
        "(acme/shop) branch:demo",
        "acme/shop\ndemo",
    ],
)
def test_a_name_that_stands_in_the_words_is_given(words: str) -> None:
    assert found(delete("demo"), words) == []


@pytest.mark.parametrize(
    "words",
    [
        "acme/shop",
        "acme/shop demo2",
        "acme/shop my-demo",
        "acme/shop demo-1",
        "acme/shop a/demo",
        "acme/shop demo/x",
        "acme/shop demo.old",
        "acme/shop Demo",
        "acme/shop v1.demo",
        "acme/shop demo:latest",
        "acme/shop demo@home",
        "acme/shop d\u0435mo",
    ],
)
def test_a_part_of_another_name_is_none(words: str) -> None:
    assert found(delete("demo"), words) == [BRANCH]


def test_a_listed_name_is_given_in_its_own_field_alone() -> None:
    assert found(delete("demo"), "acme/shop", branch=("demo",)) == []
    assert found(delete("demo"), "acme/shop", repository=("demo",)) == [BRANCH]


def test_what_people_read_may_say_anything_and_what_they_run_may_not() -> None:
    inputs: dict[str, Any] = {"repository": "acme/site", "title": "Free words", "body": "of a model", "files": []}
    assert found(step(OPEN, inputs=inputs), "acme/site") == []
    inputs["files"] = [{"path": "made/up", "content": "anything"}]
    assert found(step(OPEN, inputs=inputs), "acme/site") == ["/act/0/inputs/files/0/path"]
    command = {"id": "run", "goal": "RunInSandbox", "inputs": {"repository": "acme/shop", "command": ["make", "evil"]}}
    assert found(command, "run make of acme/shop") == ["/act/0/inputs/command/1"]


def test_a_reference_is_bound_and_looked_at_later() -> None:
    at: Any = {"repository": "acme/shop", "path": "MOTTO.md", "ref": {"$from": "motto.commit"}}
    act = step(MOTTO, id="two", inputs=at)
    assert found(act, "MOTTO.md of acme/shop", explore=[MOTTO]) == []


@pytest.mark.parametrize(("name", "value"), [("break_glass", True), ("break_glass", False), ("rehearsal", None)])
def test_what_people_alone_say_no_model_says(name: str, value: Any) -> None:
    act = delete("demo")
    act = step(act, inputs={"repository": "acme/shop", "branch": "demo", name: value})
    assert found(act, "delete demo of acme/shop") == [f"/act/0/inputs/{name}"]


def test_what_is_closed_by_its_type_or_is_the_default_is_no_choice_of_a_name() -> None:
    assert found({"id": "look", "goal": "InspectGpus", "inputs": {"types": []}}, "which GPUs are there?") == []
    assert (
        found({"id": "l", "goal": "ReadFile", "inputs": {"repository": "a/b", "path": "x", "ref": None}}, "a/b x") == []
    )


def test_every_goal_is_offered_without_what_people_alone_say_and_with_all_it_refers_to() -> None:
    for one in offered(described()):
        assert isinstance(one, dict)
        inputs: Any = one["inputs"]
        assert {*NOT_A_MODELS}.isdisjoint(inputs.get("properties", {}))
        assert set(inputs.get("properties", {})) == {*described()[str(one["goal"])].takes.fields()} - {*NOT_A_MODELS}
        assert one["does"]
        assert ("gives" in one) == (one["effect"] == "read")
        for reference in _references(inputs):
            assert reference.removeprefix("#/$defs/") in inputs["$defs"]


def _references(value: Any) -> list[str]:
    match value:
        case dict():
            items: list[tuple[str, Any]] = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - JSON
            return [str(one) for name, one in items if name == "$ref"] + [
                found for _, one in items for found in _references(one)
            ]
        case list():
            return [found for one in value for found in _references(one)]  # pyright: ignore[reportUnknownVariableType] - JSON
        case _:
            return []
