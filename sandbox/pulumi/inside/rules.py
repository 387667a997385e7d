"""What a program may ask the engine for. Everything else is refused by name, before the engine sees it."""

from collections.abc import Collection
from typing import Final

RUN_CODE: Final = {
    "command": "runs commands",
    "local": "runs commands",
    "docker-build": "runs builds",
    "pulumi-python": "runs the program's own code (a dynamic provider)",
    "pulumi-nodejs": "runs the program's own code (a dynamic provider)",
    "terraform-provider": "runs any provider that it is told to",
    "pulumi-resource-pulumi-python": "runs the program's own code (a dynamic provider)",
}
"""Providers that would run what the program says, beside the engine's credentials."""

_PROVIDER: Final = "pulumi:providers:"
_STACK: Final = "pulumi:pulumi:Stack"
_STACK_REFERENCE: Final = "pulumi:pulumi:StackReference"
_OTHER_STACKS: Final = frozenset({"pulumi:pulumi:readStackOutputs", "pulumi:pulumi:readStackResourceOutputs"})
_OWN_STATE: Final = frozenset({"pulumi:pulumi:getResource"})
FEATURES_REFUSED: Final = frozenset(
    {"transforms", "invokeTransforms", "resourceHooks", "errorHooks", "parameterization"}
)
"""With these the engine would call back into the program at an address that the program names, or load a package that
the program describes."""


class Rules:
    """One run's.

    Args:
        packages: The providers that the image holds and the deployment allows.
        stacks: Other stacks whose outputs the program may read.
    """

    def __init__(self, packages: Collection[str], stacks: Collection[str]) -> None:
        self._packages, self._stacks = frozenset(packages), frozenset(stacks)

    def resource(self, token: str, *, custom: bool, stack: str) -> str:
        """Why a resource of this type is refused; empty: it is not.

        Args:
            token: Its type.
            custom: A provider makes it; otherwise it is only a name for what it holds.
            stack: The stack that a stack reference names.
        """
        if token == _STACK_REFERENCE:
            return self._stack(stack)
        if token.startswith(_PROVIDER):
            return self._package(token.removeprefix(_PROVIDER).partition(":")[0])
        if not custom or token == _STACK:
            return ""
        return self._package(token.partition(":")[0])

    def function(self, token: str, *, stack: str) -> str:
        """The same, for a function."""
        if token in _OTHER_STACKS:
            return self._stack(stack)
        return "" if token in _OWN_STATE else self._package(token.partition(":")[0])

    def _package(self, name: str) -> str:
        if name in RUN_CODE:
            return f"the provider {name!r} {RUN_CODE[name]} beside the engine's credentials: leave it out"
        if name not in self._packages:
            held = ", ".join(sorted(self._packages)) or "none"
            return f"the provider {name!r} is not among those that this run may use ({held}): leave it out, or allow it"
        return ""

    def _stack(self, name: str) -> str:
        if name in self._stacks:
            return ""
        return f"the program may not read the stack {name!r}: name it among the stacks that this run may read"
