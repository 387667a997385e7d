"""Creation that survives a lost answer: hardly a provider has a key that makes a create safe to repeat.

What is created carries a mark of the goal that wants it, in its name or in a tag. So a create is: look for the mark,
create, and where the answer is lost look again and adopt what is there. A later attempt, after a worker was killed
between the effect and its record, begins in the same way and finds what the first one made.

A look-up sees only what the provider shows already. Where something may have been sent before, it therefore goes on
looking for as long as a create of this provider takes to show, before it sends another.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from connectors.errors import Conflict, ConnectorError, OutcomeUnknown, RateLimited, Unavailable

Resource = TypeVar("Resource")

_PREFIX: Final = "banksman-"
_DIGITS: Final = 16
_PAUSE: Final = timedelta(seconds=1)
Sleep = Callable[[float], Awaitable[None]]


def mark(workflow_id: str, part: str = "") -> str:
    """What a goal's resource is marked with: 25 lower-case letters, digits and hyphens, the same for every attempt.

    Args:
        workflow_id: The goal's, which is its business key: to ask for the same goal again finds the same resource.
        part: Which of them, where a goal has several of one kind.
    """
    return _PREFIX + hashlib.sha256(f"{workflow_id}\0{part}".encode()).hexdigest()[:_DIGITS]


@dataclass(frozen=True, kw_only=True)
class Creation(Generic[Resource]):
    """How one kind of resource is found and made.

    Attributes:
        what: The resource, as errors name it: `a branch 'shop-review'`.
        find: All that carry a mark, by the provider's own list and not by a copy of it.
        create: Makes one with a mark. `OutcomeUnknown` says that it may have; every other error that it has not.
        id_of: The provider's id.
        shows_within: How long after it was sent a create may still show for the first time. Choose it long: too short
            a time makes a second resource, too long a time costs only the attempts after a doubt.
        looks_every: How long it waits between two looks; longer where the account may ask seldom, for a look that is
            refused begins them all anew.
    """

    what: str
    find: Callable[[str], Awaitable[Sequence[Resource]]]
    create: Callable[[str], Awaitable[Resource]]
    id_of: Callable[[Resource], str]
    shows_within: timedelta
    looks_every: timedelta = _PAUSE


@dataclass(frozen=True)
class Created(Generic[Resource]):
    """There is one now.

    Attributes:
        resource: The one.
        adopted: Whether an earlier try had made it.
    """

    resource: Resource
    adopted: bool


async def create_once(
    creation: Creation[Resource], mark: str, *, again: bool, sleep: Sleep = asyncio.sleep
) -> Created[Resource]:
    """See that there is exactly one resource with this mark.

    Args:
        creation: How.
        mark: As `mark` makes it.
        again: Whether an attempt before this one may have sent a create: true from a step's second attempt on.
        sleep: Waits between two looks.

    Raises:
        Conflict: There are several with this mark. None is chosen, for another's may be among them. Or the provider
            refuses another with this name, and the one that has it does not carry the mark.
        Unavailable: The answer was lost and nothing has shown: another attempt looks first and may create.
        OutcomeUnknown: The answer was lost, and the provider lets nobody look: a person must.
        ConnectorError: As `find` and `create` raise it; this attempt created nothing.
    """
    patience = creation.shows_within if again else timedelta()
    if (found := await _found(creation, mark, patience, sleep)) is not None:
        return Created(found, adopted=True)
    try:
        return Created(await creation.create(mark), adopted=False)
    except (OutcomeUnknown, Conflict) as error:
        doubt = error  # a name that is taken may be ours, sent by an attempt of which nothing had shown yet
    if (found := await _found_in_doubt(creation, mark, sleep)) is not None:
        return Created(found, adopted=True)
    if isinstance(doubt, Conflict):
        raise doubt
    raise Unavailable(
        f"the answer to {creation.what} was lost, and none marked {mark!r} has shown; it is looked for again, and then "
        "tried again"
    ) from doubt


async def _found_in_doubt(creation: Creation[Resource], mark: str, sleep: Sleep) -> Resource | None:
    try:
        return await _found(creation, mark, creation.shows_within, sleep)
    except (Unavailable, RateLimited, Conflict):
        raise
    except ConnectorError as error:
        raise OutcomeUnknown(
            f"the answer to {creation.what} was lost, and nobody can look whether one marked {mark!r} is there: {error}"
        ) from error


async def _found(creation: Creation[Resource], mark: str, patience: timedelta, sleep: Sleep) -> Resource | None:
    """The one that carries the mark, looked for once and then for as long as it may take to show."""
    looks = 1 + -(-patience // creation.looks_every)
    for look in range(looks):
        if look:
            await sleep(creation.looks_every.total_seconds())
        found = await creation.find(mark)
        if len(found) > 1:
            ids = ", ".join(map(creation.id_of, found))
            raise Conflict(f"there are {len(found)} of {creation.what} marked {mark!r}: end all but one of {ids}")
        if found:
            return found[0]
    return None
