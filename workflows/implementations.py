"""Every workflow that a goals worker runs, found where it is defined: the goals' own, and those that goals start."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Final

import workflows
from workflows.catalogue import GOALS
from workflows.goal_type import goal_of

_DEFINED: Final = "__temporal_workflow_definition"


class ImplementationError(Exception):
    """A goal has no workflow, or several. The message lists every such goal."""


def _workflows() -> Iterator[type]:
    for module in pkgutil.walk_packages(workflows.__path__, f"{workflows.__name__}."):
        found = vars(importlib.import_module(module.name)).values()
        yield from (one for one in found if isinstance(one, type) and one.__module__ == module.name and _is_one(one))


def _is_one(found: type) -> bool:
    return _DEFINED in vars(found)


def _found() -> tuple[type, ...]:
    found = tuple(sorted(_workflows(), key=lambda one: one.__name__))
    carried = [goal_of(one) for one in found]
    problems = [f"{one.name} has {carried.count(one) or 'no'}" for one in GOALS if carried.count(one) != 1]
    if problems:
        raise ImplementationError("each goal needs one workflow, marked with @goal; " + "; ".join(problems))
    return found


WORKFLOWS: Final = _found()
