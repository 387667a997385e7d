"""Those who sell Redis databases, behind one contract: what a goal asks of any of them, by a session with it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from pydantic import SecretStr

from connectors.redis.database import Login
from connectors.redis.models import Found, Price, Wanted

LastLook = Callable[[], Awaitable[None]]
"""Awaited right before what cannot be called back; what it raises is raised, and nothing is done."""

LONGEST_NAME: Final = 23
"""Of what people call a database: with the mark behind it, 40 characters, the most that Redis Cloud takes."""


async def no_look() -> None:
    """The last look of a step that needs no grant."""


def marked(name: str, mark: str) -> str:
    """A database's name with the mark of the goal that wants it: neither provider takes another place for it.

    Args:
        name: As people call it, of `LONGEST_NAME` characters at most.
        mark: As `connectors.creation.mark` makes it.
    """
    return f"{name}-{_digits(mark)}"


def is_marked(name: str, mark: str) -> bool:
    """Whether a database's name carries it, whatever it is called besides."""
    return name.endswith(f"-{_digits(mark)}")


def _digits(mark: str) -> str:
    return mark.rpartition("-")[2]


class Cloud(Protocol):
    """One provider, asked with one credential. Every method raises by the tree of `connectors.errors`."""

    async def price(self, wanted: Wanted) -> Price:
        """What such a database would cost. Nothing is made."""
        ...

    async def carrying(self, wanted: Wanted, mark: str) -> Sequence[Found]:
        """Those with a mark in their name, by the provider's own list, where this one would be."""
        ...

    async def create(self, wanted: Wanted, name: str, *, last_look: LastLook) -> Found:
        """Make one, unless it would cost more than is wanted.

        Raises:
            OutcomeUnknown: It may be made; every other error says that it is not.
        """
        ...

    async def find(self, name: str) -> Found:
        """The one database of that name or id.

        Raises:
            NotFound: There is none.
            InvalidRequest: Several have that name.
        """
        ...

    async def grant(self, database: str, consumer: str, *, rule: str, password: SecretStr) -> Login:
        """See that a consumer has a user of its own with this password and these rights alone.

        To do it twice does no more than to do it once.
        """
        ...

    async def delete(self, database: str, *, name: str, last_look: LastLook) -> bool:
        """Delete a database by its id with its data and its users; whether it was there.

        Raises:
            Conflict: It has another name by now: it is kept.
        """
        ...
