"""The catalogue has every step that is declared, each once, and every one of them is implemented."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import activities
import hitl.gateway
import hitl.github
import hitl.slack
from activities import catalogue
from activities.catalogue import CatalogueError, meant, steps, steps_on
from activities.guard.approval_facts import HasApprovalFacts
from activities.guard.rules import HasTightening
from activities.queues import TaskQueue
from activities.step import Step, step_of
from hitl.protocol import Effect, HasEnded, HasHired, HasPolicyContext, HasSpend, HasSpent
from tests.activities.test_step import Request


def modules(package: ModuleType) -> list[ModuleType]:
    return [
        importlib.import_module(one.name) for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]


def test_it_is_what_is_implemented() -> None:
    found: set[str] = set()
    for module in [*modules(activities), *modules(hitl.gateway), *modules(hitl.github), *modules(hitl.slack)]:
        for owner in [one for one in vars(module).values() if inspect.isclass(one)]:
            found |= {step.name for fn in vars(owner).values() if callable(fn) and (step := step_of(fn))}
    assert found == set(steps())
    assert list(steps()) == sorted(found)


@pytest.mark.parametrize("name", steps())
def test_no_field_has_the_name_of_a_question_that_the_guard_asks(name: str) -> None:
    """It asks whoever has a method of that name, and would call the field's value."""
    asked = (HasApprovalFacts, HasEnded, HasHired, HasPolicyContext, HasSpend, HasSpent, HasTightening)
    questions = {question for one in asked for question in vars(one) if not question.startswith("_")}
    for model in (steps()[name].request, steps()[name].response):
        assert not questions & getattr(model, "model_fields", {}).keys(), model


def test_two_steps_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = ModuleType("one.contracts"), ModuleType("other.contracts")
    first, second = (Step(name="x.read", request=Request, response=int, effect=Effect.READ) for _ in range(2))
    vars(one)["READ"] = vars(other)["SAME"] = first
    vars(other)["READ"] = second
    monkeypatch.setattr(catalogue, "_modules", lambda _: iter((one, other)))
    with pytest.raises(CatalogueError, match=r"other\.contracts declares 'x\.read', which is declared elsewhere too"):
        steps.__wrapped__()
    del vars(other)["READ"]
    assert list(steps.__wrapped__()) == ["x.read"]


@pytest.mark.parametrize("queues", [*((one,) for one in TaskQueue), (TaskQueue.MODELS, TaskQueue.CONNECTORS)])
def test_the_steps_of_a_queue_are_all_there_however_few_are_loaded(queues: tuple[TaskQueue, ...]) -> None:
    assert list(steps_on(queues)) == [step for step in steps().values() if step.queue in queues]


def test_a_step_that_its_worker_would_not_find_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    home, away = ModuleType("activities.models.contracts"), ModuleType("activities.github.contracts")
    step = Step(name="x.read", request=Request, response=int, effect=Effect.READ, on=TaskQueue.MODELS)
    vars(away)["READ"] = step
    monkeypatch.setattr(catalogue, "_modules", lambda _: iter((home, away)))
    with pytest.raises(CatalogueError, match=r"'x\.read' is put on banksman-models: declare it in activities\.models"):
        steps.__wrapped__()
    vars(home)["READ"] = step
    assert list(steps.__wrapped__()) == ["x.read"]


def test_a_name_that_is_none_is_guessed() -> None:
    assert meant("github.delete_brnch") == "github.delete_branch"
    assert meant("nothing.like_it_at_all") is None
