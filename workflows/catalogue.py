"""Every goal that a person can ask for, found where it is declared: in the modules called `goals`.

What carries a goal out is found by `workflows.implementations`: who only asks for goals loads no workflow.
"""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Final

import workflows
from hitl.protocol import Effect
from workflows.goal_type import GoalType

_GOALS: Final = "goals"


class CatalogueError(Exception):
    """Two goals have one name. The message lists every such name."""


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(workflows.__path__, f"{workflows.__name__}."):
        if found.name.endswith(f".{_GOALS}"):
            yield importlib.import_module(found.name)


def _found() -> tuple[GoalType, ...]:
    declared = [one for module in _modules() for one in vars(module).values() if isinstance(one, GoalType)]
    if twice := [name for name, times in Counter(one.name for one in declared).items() if times > 1]:
        raise CatalogueError(f"declared more than once: {', '.join(sorted(twice))}")
    by_effect = list(Effect)
    return tuple(sorted(declared, key=lambda one: (by_effect.index(one.effect), one.name)))


GOALS: Final = _found()
"""What only reads comes first, and what cannot be undone last."""


def find_goal(name: str) -> GoalType | None:
    """The goal of that exact name."""
    return next((goal for goal in GOALS if goal.name == name), None)
