"""A goal is declared once, and what contradicts its declaration is refused where it is imported."""

from types import ModuleType

import pytest
from temporalio import workflow

from hitl.protocol import Effect
from workflows import catalogue, implementations
from workflows.catalogue import GOALS, CatalogueError, find_goal
from workflows.contracts import GoalInput, GoalResult
from workflows.goal_type import GoalType, goal, goal_of
from workflows.implementations import WORKFLOWS, ImplementationError


class Input(GoalInput):
    """Look at nothing."""


class OtherInput(GoalInput):
    """Look at something else."""


class Result(GoalResult):
    """What was seen."""


LOOK = GoalType(name="Look", input=Input, result=Result, effect=Effect.READ, example=Input())


@goal(LOOK)
class Looking:
    @workflow.run
    async def run(self, request: Input) -> Result:
        return Result()


class LookingElsewhere:
    @workflow.run
    async def run(self, request: OtherInput) -> Result:
        return Result()


def test_a_goal_marks_its_workflow_and_nothing_else() -> None:
    assert goal_of(Looking) is LOOK
    assert goal_of(LookingElsewhere) is None


def test_a_workflow_that_takes_another_input_is_refused() -> None:
    with pytest.raises(TypeError, match="must have a `run` that takes one Input, as goal 'Look' declares"):
        goal(LOOK)(LookingElsewhere)


def test_an_example_of_another_goal_is_refused() -> None:
    with pytest.raises(ValueError, match="goal 'Look' takes Input; its example is another model"):
        GoalType(name="Look", input=Input, result=Result, effect=Effect.READ, example=OtherInput())


def test_the_goals_are_found_and_what_only_reads_comes_first() -> None:
    effects = [one.effect for one in GOALS]
    assert effects == sorted(effects, key=list(Effect).index)
    assert {"ReadFile", "PreviewAndUp"} < {one.name for one in GOALS}
    assert find_goal("ReadFile") is GOALS[[one.name for one in GOALS].index("ReadFile")]
    assert find_goal("readfile") is None


def test_two_goals_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("one.goals")
    same = GoalType(name="Look", input=Input, result=Result, effect=Effect.READ, example=Input())
    vars(module).update(LOOK=LOOK, SAME=same)
    monkeypatch.setattr(catalogue, "_modules", lambda: iter((module,)))
    with pytest.raises(CatalogueError, match="declared more than once: Look"):
        catalogue._found()


def test_every_goal_has_one_workflow_and_a_goals_worker_without_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    carried = [goal_of(one) for one in WORKFLOWS]
    assert all(carried.count(one) == 1 for one in GOALS)
    monkeypatch.setattr(implementations, "GOALS", (*GOALS, LOOK))
    with pytest.raises(ImplementationError, match="Look has no"):
        implementations._found()
