"""A twin's clock: the machine's, and as far ahead of it as a test likes; what takes time there ends by it."""

import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(order=True)
class _Due:
    at: float
    number: int
    action: Callable[[], object] = field(compare=False)


class TwinClock:
    """Seconds since the epoch, and what is to happen then.

    A twin calls `run` before it looks at a request, so that a caller sees everything that should have happened.

    Args:
        source: The clock that it goes by.
        ahead: Seconds that it is ahead; a provider's clock may be a day off.
    """

    def __init__(self, source: Callable[[], float] = time.time, *, ahead: float = 0.0) -> None:
        self._source = source
        self.ahead = ahead
        self._due: list[_Due] = []
        self._numbers: Iterator[int] = itertools.count()
        self._acting: float | None = None

    def __call__(self) -> float:
        """Now; to an action the moment for which it was planned, however late it is run."""
        return self._acting if self._acting is not None else self._source() + self.ahead

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Plan something: an operation that finishes, an instance that comes up."""
        heapq.heappush(self._due, _Due(self() + seconds, next(self._numbers), action))

    def run(self) -> None:
        """Do everything that is due, in its order, and what becomes due by it."""
        now = self()
        while self._due and self._due[0].at <= now:
            one = heapq.heappop(self._due)
            self._acting = one.at
            try:
                one.action()
            finally:
                self._acting = None

    def advance(self, seconds: float) -> None:
        """Let time go by at once."""
        self.ahead += seconds
        self.run()
