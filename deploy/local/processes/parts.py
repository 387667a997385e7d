"""What some machines cannot have, and others have minutes later: how far it is, and why no further."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from deploy.local.processes.child import ChildFailed
from deploy.local.state import Part, PartState

SANDBOX: Final = "sandbox"
"""Runs commands in containers."""
STACKS: Final = "stacks"
"""What goals on Pulumi stacks need: the sandbox, the database of their state, and the image with Pulumi."""
NO_MODELS: Final = "none are asked in a rehearsal"
LEFT_OUT: Final = "this environment was started with --no-sandbox"
_COMES: Final[Mapping[str, str]] = {
    SANDBOX: "a container engine is found or started and images are built; the first time takes minutes",
    STACKS: "it comes after the sandbox; the first time takes minutes",
}


class Parts:
    """Both of them.

    Args:
        wanted: Whether they were asked for at all.
        changed: Told of every change.
    """

    def __init__(self, *, wanted: bool, changed: Callable[[], None]) -> None:
        state = PartState.COMING if wanted else PartState.MISSING
        self._of = {name: Part(state=state, why=why if wanted else LEFT_OUT) for name, why in _COMES.items()}
        self._changed = changed

    def all(self) -> dict[str, Part]:
        """How far each is."""
        return dict(self._of)

    def ready(self, name: str) -> None:
        """It is there, unless something of it was found missing before."""
        self._to([name], Part(state=PartState.READY))

    def coming(self, name: str, why: str) -> None:
        """It is not there yet."""
        self._to([name], Part(state=PartState.COMING, why=why))

    def missing(self, *names: str, why: Exception | str) -> None:
        """It will not be there until the environment is started again."""
        self._to(names, Part(state=PartState.MISSING, why=cause(why) if isinstance(why, Exception) else why))

    def _to(self, names: Iterable[str], part: Part) -> None:
        for name in names:
            if self._of[name].state is not PartState.MISSING:  # the first cause is the one that is told
                self._of[name] = part
        self._changed()


def cause(error: Exception) -> str:
    """Why, in one line: of a child that ended, what it said itself."""
    said = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, ChildFailed):
        own = [line.strip().removeprefix("error: ") for line in said if line.strip().startswith("error: ")]
        return own[-1] if own else said[0]
    return said[0]
