"""Whether the embedded stack has what goals on Pulumi stacks need, and why not, from what it tells of itself."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from deploy.local.process import ChildReport

NO_SANDBOX: Final = "there is no sandbox, and goals that need it wait"
NO_STATE: Final = "there is no state database, and goals on Pulumi stacks cannot be done"
NO_PULUMI: Final = "there is no image with Pulumi, and goals on stacks cannot be done"
PULUMI_READY: Final = "Pulumi is ready"
_ENGINE: Final = "container-engine"


class SandboxState(StrEnum):
    """How far it is."""

    READY = "ready"
    COMING = "coming"
    """It is looked for, or built, which takes minutes the first time."""
    MISSING = "missing"


def sandbox_state(children: Iterable[ChildReport], notes: Iterable[str]) -> tuple[SandboxState, str]:
    """How far what Pulumi needs is, and the reason where it will not come by itself."""
    told = tuple(notes)
    for note in told:
        if note.startswith((NO_SANDBOX, NO_STATE, NO_PULUMI)):
            return SandboxState.MISSING, note
    if not any(child.name == _ENGINE for child in children):
        return SandboxState.MISSING, "the stack was started without a sandbox (`--no-sandbox`)"
    return (SandboxState.READY if PULUMI_READY in told else SandboxState.COMING), ""
