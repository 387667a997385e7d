"""What may happen to any request of a client: its worker dies before or after it, or the provider has a bad day."""

import contextlib
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import pytest

from connectors.errors import RateLimited, Unavailable
from connectors.http import Call, Session
from connectors.http.api import Answered
from tests.connectors.serving import ServedTwin

T = TypeVar("T")
FAULTS: Final[dict[str, dict[str, object]]] = {
    "drop": {"kind": "drop"},
    "drop_after_effect": {"kind": "drop_after_effect"},
    "garbage": {"kind": "garbage"},
    "rate_limit": {"kind": "rate_limit", "seconds": 0},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
}
KILLS: Final = ("killed_before", "killed_after")
EVENTS: Final = ("ok", *KILLS, *FAULTS)
_MOST_ATTEMPTS: Final = 100


class Killed(Exception):
    """The worker is gone."""


async def happens(
    event: str,
    twin: ServedTwin,
    ask: Callable[[], Awaitable[T]],
    *,
    at: Mapping[str, object] | None = None,
    before: Sequence[Mapping[str, object]] = (),
) -> T:
    """Ask, and have this happen.

    Args:
        event: One of `EVENTS`.
        twin: Where a fault is planted.
        ask: One request, or several.
        at: Which request meets the fault; the next one where nothing is said.
        before: Faults for those that come first.
    """
    if event == "killed_before":
        raise Killed
    if event in FAULTS:
        for fault in (*before, {**(at or {}), **FAULTS[event]}):
            twin.plant(**fault)
    answer = await ask()
    if event == "killed_after":
        raise Killed
    return answer


async def until_it_ends(attempt: Callable[[int], Awaitable[T]]) -> T:
    """A step's attempts, by number from 1, each after a worker that died or a provider that was away."""
    for number in range(1, _MOST_ATTEMPTS + 1):
        try:
            return await attempt(number)
        except (Unavailable, RateLimited, Killed):
            continue
    raise AssertionError("it never ends")


@contextlib.contextmanager
def happening(twin: ServedTwin, events: Iterator[str]) -> Generator[None]:
    """The next of these `EVENTS` happens at each request of any session.

    Args:
        twin: Where faults are planted.
        events: Once there are no more, all is well.
    """
    exchange = Session.exchange

    async def eventful(session: Session, call: Call[Any]) -> Answered[Any]:
        return await happens(next(events, "ok"), twin, lambda: exchange(session, call))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Session, "exchange", eventful)
        yield
