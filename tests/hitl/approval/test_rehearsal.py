"""The document of a rehearsal: whole or refused, of this input or refused, and how effects are told apart."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from hitl.approval.plan import Change, Plan, Resource, Risk, read_plan
from hitl.approval.rehearsal import MOST_NAMES, Rehearsal, RehearsedEffect, names
from hitl.approval.sequence import SequencePlan, read_any_plan
from workflows.catalogue import GOALS
from workflows.goal_type import GoalType
from workflows.repository.goals import DeleteBranchInput, ReadFileInput

REQUEST = DeleteBranchInput(repository="acme/shop", branch="old")
EFFECT = RehearsedEffect(action="github.delete_branch", on=("branch old",), cents=250, milliseconds=40)
PLAN = Plan(
    action="github.delete_branch",
    parameters={"repository": "acme/shop", "branch": "old"},
    resources=(Resource(kind="git branch", name="old", change=Change.DELETE),),
    summary=("Delete it",),
    risk=Risk.LOW,
)


def sealed(*effects: RehearsedEffect, of: str = REQUEST.digest()) -> Rehearsal:
    return Rehearsal.sealed(
        goal="DeleteBranch",
        of=of,
        made_at=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
        copied=("github acme/shop",),
        effects=effects,
        milliseconds=100,
    )


def test_a_document_survives_its_way_through_json() -> None:
    made = sealed(EFFECT)
    assert Rehearsal.model_validate_json(made.model_dump_json()) == made
    assert (
        DeleteBranchInput.model_validate_json(
            DeleteBranchInput.model_validate({**dict(REQUEST), "rehearsal": made}).model_dump_json()
        ).rehearsal
        == made
    )


@pytest.mark.parametrize(
    "forged",
    [
        {"effects": []},
        {"effects": [EFFECT.model_copy(update={"on": ("branch main",)}).model_dump()]},
        {"milliseconds": 1},
        {"copied": []},
        {"goal": "ReadFile"},
        {"digest": "sha256:" + "0" * 64},
    ],
)
def test_a_forged_document_is_refused(forged: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="not as it was made"):
        Rehearsal.model_validate({**sealed(EFFECT).model_dump(mode="json"), **forged})


@pytest.mark.parametrize(
    "other",
    [
        DeleteBranchInput(repository="acme/shop", branch="older"),
        DeleteBranchInput(repository="acme/shop", branch="old", break_glass=True),
        ReadFileInput(repository="acme/shop", path="a"),
    ],
)
def test_a_rehearsal_of_another_goal_or_input_is_refused(other: DeleteBranchInput | ReadFileInput) -> None:
    with pytest.raises(ValidationError, match="of another goal or of another input"):
        type(other).model_validate({**dict(other), "rehearsal": sealed(EFFECT)})


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
def test_a_goal_after_its_rehearsal_has_the_same_id(goal: GoalType) -> None:
    request = goal.example
    document = sealed(of=request.digest())
    after = type(request).model_validate({**request.model_dump(exclude_unset=True), "rehearsal": document})
    assert (after.business_key(), after.digest()) == (request.business_key(), request.digest())


def test_an_effect_is_known_by_what_it_touches_and_not_by_cost_or_time() -> None:
    made = sealed(EFFECT)
    assert made.lists(EFFECT.model_copy(update={"cents": None, "milliseconds": 9}))
    assert not made.lists(EFFECT.model_copy(update={"on": ("branch older",)}))
    assert not made.lists(EFFECT.model_copy(update={"action": "github.merge_pull_request"}))
    assert (made.cents, sealed().cents) == (250, None)


def test_names_are_cut_so_that_no_two_become_alike() -> None:
    long = "x" * 300
    assert names(long + "a") != names(long + "b")
    many = [f"n{number}" for number in range(MOST_NAMES + 3)]
    assert names(*many)[-1].startswith("and 3 more sha256:")
    assert names(*many) != names(*many[:-1], "other")
    assert names("a\u202eb") == ("a\\u202eb",)


def test_the_list_is_under_the_plans_digest_and_a_plan_without_one_keeps_its_bytes() -> None:
    shown = sealed(EFFECT).shown()
    plan = PLAN.model_copy(update={"rehearsal": shown})
    assert read_plan(plan.text()).rehearsal == shown
    assert "rehearsal" not in PLAN.text()
    many = SequencePlan(steps=(PLAN,), summary=("All",), rehearsal=shown)
    assert read_any_plan(many.text()).rehearsal == shown
    with pytest.raises(ValidationError, match="rehearsal of its own"):
        SequencePlan(steps=(plan,), summary=("All",))


def test_a_surprise_is_said_first() -> None:
    told = sealed(EFFECT).shown((EFFECT.model_copy(update={"on": ("branch main",)}),)).told()
    assert told == [
        "NOT REHEARSED github.delete_branch: branch main",
        "rehearsed github.delete_branch: branch old",
    ]


def test_of_an_update_it_is_said_that_its_providers_were_played() -> None:
    update = RehearsedEffect(action="pulumi.update_stack", on=("resource live",))
    assert sealed(EFFECT, update).shown().told() == [
        "rehearsed github.delete_branch: branch old",
        "rehearsed with its providers played pulumi.update_stack: resource live",
    ]
