"""Every step, found where it is declared: in the modules called `contracts` of the packages that goals import.

What a step may do its own declaration says, and the guard goes by that; nothing is listed twice.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Final

from activities.queues import TaskQueue
from activities.step import Step

_FLOORS: Final = ("activities", "workflows")
_CONTRACTS: Final = "contracts"
_HOMES: Final = {TaskQueue.MODELS: "activities.models"}
"""Where all steps of a queue are declared, so that its worker loads no others: they take 12 MB."""


class CatalogueError(Exception):
    """Declarations contradict each other. The message lists every contradiction."""


@cache
def steps() -> Mapping[str, Step[Any, Any]]:
    """All steps by their names, in the order of the alphabet.

    Raises:
        CatalogueError: Two steps have one name, or one is declared away from all others of its queue.
    """
    return _steps(*_FLOORS)


def steps_on(queues: Collection[TaskQueue]) -> tuple[Step[Any, Any], ...]:
    """All steps of these queues; nothing else is loaded where each of the queues has all its steps in one package.

    Raises:
        CatalogueError: See `steps`; of what is loaded.
    """
    homes = [_HOMES[queue] for queue in queues if queue in _HOMES]
    found = _steps(*homes) if len(homes) == len(queues) else steps()
    return tuple(step for step in found.values() if step.queue in queues)


def _steps(*packages: str) -> Mapping[str, Step[Any, Any]]:
    found: dict[str, Step[Any, Any]] = {}
    at_home: set[str] = set()
    problems: list[str] = []
    for module in _modules(packages):
        for step in _declared(module):
            if found.setdefault(step.name, step) is not step:
                problems.append(f"{module.__name__} declares {step.name!r}, which is declared elsewhere too")
            if module.__name__.startswith(f"{_HOMES.get(step.queue)}."):
                at_home.add(step.name)
    problems.extend(
        f"{name!r} is put on {step.queue}: declare it in {_HOMES[step.queue]}, where its worker looks"
        for name, step in found.items()
        if step.queue in _HOMES and name not in at_home
    )
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise CatalogueError(f"the steps contradict each other:{listed}")
    return MappingProxyType(dict(sorted(found.items())))


def meant(action: str) -> str | None:
    """The step whose name is closest to one that is none."""
    close = difflib.get_close_matches(action, steps(), n=1)
    return close[0] if close else None


def _declared(module: ModuleType) -> list[Step[Any, Any]]:
    return [one for one in vars(module).values() if isinstance(one, Step)]


def _modules(packages: Collection[str]) -> Iterator[ModuleType]:
    for name in packages:
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if found.name.endswith(_CONTRACTS):
                yield importlib.import_module(found.name)
