"""Every step, found where it is declared: in the modules called `contracts` of the packages that goals import.

What a step may do its own declaration says, and the guard goes by that; nothing is listed twice.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Final

from activities.step import Step

_FLOORS: Final = ("activities", "workflows")
_CONTRACTS: Final = "contracts"


class CatalogueError(Exception):
    """Declarations contradict each other. The message lists every contradiction."""


@cache
def steps() -> Mapping[str, Step[Any, Any]]:
    """All steps by their names, in the order of the alphabet.

    Raises:
        CatalogueError: Two steps have one name.
    """
    found: dict[str, Step[Any, Any]] = {}
    problems: list[str] = []
    for module in _modules():
        problems.extend(
            f"{module.__name__} declares {step.name!r}, which is declared elsewhere too"
            for step in _declared(module)
            if found.setdefault(step.name, step) is not step
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


def _modules() -> Iterator[ModuleType]:
    for floor in _FLOORS:
        package = importlib.import_module(floor)
        for found in pkgutil.walk_packages(package.__path__, f"{floor}."):
            if found.name.endswith(_CONTRACTS):
                yield importlib.import_module(found.name)
