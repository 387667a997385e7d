"""The steps that copy, by their providers: those that a manifest says are copied, and that declare `COPY_STATE`."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from activities.copies.contracts import StateCopied
from activities.step import Step
from connectors.provider import copied

_DATABASE: Final = "@"


def _declared(name_of_step: str) -> Mapping[str, Step[Any, StateCopied]]:
    modules = {name: import_module(f"activities.{name}.contracts") for name in copied()}
    return {name: one for name, module in modules.items() if (one := vars(module).get(name_of_step)) is not None}


COPY_STEPS: Final[Mapping[str, Step[Any, StateCopied]]] = MappingProxyType(_declared("COPY_STATE"))
"""By the provider's name. GitHub's repositories are copied by a goal of their own, for git carries them."""

_OF_DATABASES: Final = MappingProxyType(_declared("COPY_DATABASE"))


def copy_step_for(provider: str, part: str) -> Step[Any, StateCopied] | None:
    """The step that copies this part; None where no step does. `@NAME` is what one database is made of."""
    return (_OF_DATABASES if part.startswith(_DATABASE) else COPY_STEPS).get(provider)
