"""What an account may ask of its provider now, known once in a process to everything that asks in its name.

A provider limits an account, not a step. So the first refusal closes the account for all: whoever comes meanwhile is
told to wait without another request, and what waits comes back spread out and not all at once. Where the rate is known
beforehand, turns are given out by it, so that there is hardly a refusal at all.

A turn is waited for here only for a short while, and then handed back as `RateLimited`: Temporal waits cheaper. That
while is never skipped, so that a closed account does not make a worker hand its whole queue back at once.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from connectors.errors import RateLimited

PATIENCE: Final = timedelta(seconds=8)
"""How long a turn is waited for in the process."""

_UNSAID: Final = timedelta(seconds=5)
_SPREAD: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How much may be asked: so many a second, and so many of them at once."""

    per_second: float
    burst: int = 1


class Bucket:
    """Turns by a rate: full at first, and filled again while time goes by.

    Args:
        rate: How fast, and how much it holds.
        now: Seconds that only grow; the moment from which it fills.
        left: How many turns are in it, where it is not full.
    """

    def __init__(self, rate: Rate, now: float, *, left: float | None = None) -> None:
        self._rate = rate
        self._left = float(rate.burst) if left is None else left
        self._at = now

    def take(self, now: float) -> float:
        """Take a turn.

        Returns:
            0, or the seconds until there is one; then none was taken.
        """
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.per_second)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate.per_second


class Turns(Protocol):
    """Who gives out an account's turns: `Allowance` in one process, or what all processes share."""

    async def turn(self, what: str) -> None:
        """Wait for a turn, a short while.

        Raises:
            RateLimited: It was not given within that time; nothing was asked.
        """
        ...

    def close(self, wait: timedelta | None) -> None:
        """The provider refused: nobody asks for that long, or for a few seconds where it did not say."""
        ...


class Allowance:
    """One account's, or one of its methods' where the provider counts those apart.

    Args:
        rate: What is known of it beforehand; None where only refusals tell.
        clock: Seconds that only grow.
    """

    def __init__(self, rate: Rate | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._closed_until = clock()
        self._bucket = Bucket(rate, clock()) if rate else None

    def close(self, wait: timedelta | None) -> None:
        """The provider refused: nobody asks before it wants, and a little later, so that processes come back apart.

        Args:
            wait: As the provider said it; a few seconds where it did not.
        """
        seconds = (_UNSAID if wait is None else wait).total_seconds()
        spread = random.uniform(0.0, _SPREAD * seconds)  # noqa: S311 - no secret: it sets processes apart
        self._closed_until = max(self._closed_until, self._clock() + seconds + spread)
        if self._rate is not None:
            self._bucket = Bucket(self._rate, self._closed_until, left=1.0)

    @property
    def closed_for(self) -> float:
        """Seconds until it is open again; 0 where it is."""
        return max(0.0, self._closed_until - self._clock())

    def require(self, what: str) -> None:
        """Go on only where the account is open.

        Args:
            what: What would be asked for, as the error names it.

        Raises:
            RateLimited: It is closed; nothing was asked.
        """
        if (wait := self.closed_for) > 0:
            raise _closed(what, wait)

    async def turn(self, what: str, *, patience: timedelta = PATIENCE) -> None:
        """Wait for a turn, a short while.

        Args:
            what: What is asked for, as the error names it.
            patience: How long.

        Raises:
            RateLimited: It was not given within that time; nothing was asked.
        """
        until = self._clock() + patience.total_seconds()
        while (wait := self._take()) > 0:
            if (left := until - self._clock()) <= 0:
                raise _closed(what, wait)
            await asyncio.sleep(min(wait, left))

    def _take(self) -> float:
        """Seconds to wait; 0 where the turn is ours now."""
        now = self._clock()
        if self._closed_until > now:
            return self._closed_until - now
        return self._bucket.take(now) if self._bucket is not None else 0.0


def _closed(what: str, wait: float) -> RateLimited:
    return RateLimited(
        f"The account's rate is used up, so {what} was not asked for; it waits for its turn",
        retry_after=timedelta(seconds=wait),
    )
