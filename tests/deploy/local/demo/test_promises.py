"""What a demonstration takes for a success: nothing but what was promised."""

from typing import Final

import pytest

from deploy.local.demo.deployment import Followed
from deploy.local.demo.failing import HONEST, PROMISES, Failure, Promise, otherwise
from deploy.local.demo.storefront import Visits
from workflows.contracts import Outcome, State
from workflows.deploy_feature.goals import DeployNewFeatureResult

_ALL: Final = Visits(all=20, well=20, new=20)
_NONE: Final = Visits(all=20, well=20, new=0)


def went(outcome: Outcome, *, questions: int, merged: str | None) -> Followed:
    result = DeployNewFeatureResult(outcome=outcome, reason="so", repository="a/b", what="#1", merged=merged)
    return Followed(goal="g", questions=questions, seconds=1, result=result)


def as_promised(promise: Promise) -> Followed:
    return went(promise.outcome, questions=promise.questions, merged="c" if promise.deployed else None)


@pytest.mark.parametrize("promise", [HONEST, *PROMISES.values()])
def test_what_is_as_promised_is_no_difference(promise: Promise) -> None:
    seen = _ALL if promise.deployed else _NONE
    assert otherwise(promise, as_promised(promise), merged=promise.deployed, seen=seen) == []


@pytest.mark.parametrize("promise", [HONEST, *PROMISES.values()])
def test_each_difference_is_one_line_that_says_what_came_instead(promise: Promise) -> None:
    seen = _ALL if promise.deployed else _NONE
    good = as_promised(promise)
    another = State.PARTIALLY_APPLIED
    odd = went(another, questions=promise.questions, merged=good.result.merged)
    [line] = otherwise(promise, odd, merged=promise.deployed, seen=seen)
    assert line == f"it ended as {another}, and not as {promise.outcome}: so"
    odd = went(promise.outcome, questions=promise.questions + 1, merged=good.result.merged)
    [line] = otherwise(promise, odd, merged=promise.deployed, seen=seen)
    assert "asked" in line
    [line] = otherwise(promise, good, merged=not promise.deployed, seen=seen)
    assert "main branch" in line


@pytest.mark.parametrize(
    ("promise", "seen"),
    [
        (HONEST, Visits(all=20, well=20, new=5)),
        (HONEST, Visits(all=20, well=19, new=19)),
        (PROMISES[Failure.VERIFY], Visits(all=20, well=20, new=1)),
        (PROMISES[Failure.VERIFY], Visits(all=20, well=15, new=0)),
        (PROMISES[Failure.TESTS], Visits(all=20, well=0, new=0)),
    ],
)
def test_one_visitor_who_sees_something_else_is_a_difference(promise: Promise, seen: Visits) -> None:
    [line] = otherwise(promise, as_promised(promise), merged=promise.deployed, seen=seen)
    assert line.startswith("of 20 visitors")


def test_what_the_goal_says_of_its_merge_and_what_is_there_must_agree() -> None:
    lies = went(State.COMPLETED, questions=1, merged="c")
    assert len(otherwise(HONEST, lies, merged=False, seen=_ALL)) == 1
    silent = went(State.COMPLETED, questions=1, merged=None)
    assert len(otherwise(HONEST, silent, merged=True, seen=_ALL)) == 1


def test_every_way_to_fail_a_deployment_has_its_promise() -> None:
    assert set(PROMISES) == set(Failure)
