"""The steps of a role, found: each module of its package makes what implements those of one system."""

import pkgutil
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from activities.catalogue import steps_on
from activities.queues import TaskQueue
from activities.step import StepError, implemented, step_of
from workers.settings import Role


class Implementing(Protocol):
    """A module of `workers.steps.<role>`."""

    def steps(self, means: object) -> Sequence[object]:
        """The objects that implement the steps of one system.

        Args:
            means: What the role has to make them of, as its package says.
        """
        ...


def steps_of(role: Role, means: object, *, queues: Collection[TaskQueue]) -> list[Callable[..., Any]]:
    """Everything that a worker of this role registers.

    Args:
        role: Which one.
        means: What its steps are made of.
        queues: Those that its workers take.

    Raises:
        StepError: A step that is declared for one of these queues has no implementation. Every such step is named.
    """
    package = f"workers.steps.{role.value}"
    modules = [one.name for one in pkgutil.iter_modules(import_module(package).__path__, f"{package}.")]
    made = [cast("Implementing", import_module(name)).steps(means) for name in modules]
    found = implemented(*(one for owners in made for one in owners))
    there = {step.name for one in found if (step := step_of(one)) is not None}
    missing = [step.name for step in steps_on(queues) if step.name not in there]
    if missing:
        listed = "".join(f"\n  - {name}" for name in missing)
        raise StepError(f"the {role.value!r} worker cannot start: nothing in {package} implements{listed}")
    return found
