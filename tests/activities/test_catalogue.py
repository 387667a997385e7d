"""The list of steps says of each what it says of itself, and has all of them."""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from temporalio.activity import _Definition

import activities
import hitl.slack
from activities.catalogue import EFFECTS, meant
from activities.effects import declared_effect


def modules(package: ModuleType) -> list[ModuleType]:
    return [
        importlib.import_module(one.name) for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]


def test_it_is_what_the_steps_declare() -> None:
    declared: dict[str | None, Any] = {}
    for module in [*modules(activities), *modules(hitl.slack)]:
        for found in list(vars(module).values()):
            for function in [found, *(vars(found).values() if inspect.isclass(found) else ())]:
                if inspect.isfunction(function) and (effect := declared_effect(function)):
                    declared[_Definition.must_from_callable(function).name] = effect
    assert declared == EFFECTS


def test_a_name_that_is_none_is_guessed() -> None:
    assert meant("github.delete_brnch") == "github.delete_branch"
    assert meant("nothing.like_it_at_all") is None
