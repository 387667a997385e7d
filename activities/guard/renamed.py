"""Whether a step may touch a repository under the name that it has now, too, where it was asked for by a former one.

GitHub leads from a former name to the present one, and policies know repositories by their names. So the step asks here
before it goes on: the guard decides about the present name as it did about the former, and writes that down as well. A
destructive step never goes on: people approved a plan that names the former one.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from connectors.errors import InvalidRequest

_ALSO: Final[ContextVar[Callable[[str], None] | None]] = ContextVar("also", default=None)


def begin(also: Callable[[str], None]) -> None:
    """From here on, this decides for the step that runs here."""
    _ALSO.set(also)


def require_also(name: str) -> None:
    """Go on only where the step may touch this repository, too.

    Args:
        name: `OWNER/NAME`, as GitHub calls it now.

    Raises:
        ApplicationError: `PolicyDenied`: it may not; or `Unavailable`: that cannot be written down now.
        InvalidRequest: No guard decides here.
    """
    also = _ALSO.get()
    if also is None:
        raise InvalidRequest(f"the repository is called {name!r} by now: ask for it by that name")
    also(name)
