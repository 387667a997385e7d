"""How much may be written on GitHub in a while: 80 things a minute and 500 an hour, for each installation.

Above it GitHub refuses everything of the installation for a while, reads too. It counts; so do we, in each process, and
keep the last part of it for what must be said: a progress that is left out is shown by the next one.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from connectors.errors import RateLimited

MINUTE: Final = 80
HOUR: Final = 500
_FOR_PROGRESS: Final = 0.6
_WINDOWS: Final = ((60.0, MINUTE), (3600.0, HOUR))


class Pace:
    """One installation's.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: deque[float] = deque()

    @property
    def has_room(self) -> bool:
        """Whether what may be left out may be written now."""
        return all(self.written(seconds) < most * _FOR_PROGRESS for seconds, most in _WINDOWS)

    def require(self, what: str) -> None:
        """Count one more, where there is one left.

        Args:
            what: What would be written, as the error names it.

        Raises:
            RateLimited: There is none; nothing was written.
        """
        for seconds, most in _WINDOWS:
            if self.written(seconds) >= most:
                frees = self._written[len(self._written) - most] + seconds - self._clock()
                raise RateLimited(
                    f"GitHub takes {most} writings in {seconds:.0f} seconds, and {what} would be one more; it waits",
                    retry_after=timedelta(seconds=max(1.0, frees)),
                )
        self._written.append(self._clock())

    def written(self, seconds: float) -> int:
        """How much was written in the last so many seconds, of one hour at most."""
        now = self._clock()
        while self._written and self._written[0] <= now - _WINDOWS[-1][0]:
            self._written.popleft()
        return sum(at > now - seconds for at in self._written)
