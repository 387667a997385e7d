"""What telemetry loses: nothing waits for a collector that is away, slow or full, and what it did not take is counted.

Spans and lines wait in a bounded queue. Where that is full, the new ones are lost; where a batch is not taken, that.
"""

from threading import Lock
from typing import Final, Literal

from prometheus_client import Counter

from observability.names import METRIC_TELEMETRY_LOST

Signal = Literal["spans", "lines"]
Why = Literal["full", "not_taken"]

_LOST: Final = Counter(METRIC_TELEMETRY_LOST, "Spans and lines that no collector took, by why.", ("signal", "why"))


class Room:
    """How many may wait at a time, of one signal.

    Args:
        signal: Of what.
        most: So many.
    """

    def __init__(self, signal: Signal, *, most: int) -> None:
        self.most: Final = most
        self._waiting, self._gone, self._lock = 0, 0, Lock()
        self._full = _LOST.labels(signal=signal, why="full")
        self._not_taken = _LOST.labels(signal=signal, why="not_taken")

    def enter(self) -> bool:
        """Whether there is room for one more; where there is none, it is lost. Never waits for a collector."""
        with self._lock:
            if self._waiting < self.most:
                self._waiting += 1
                return True
            self._gone += 1
        self._full.inc()
        return False

    def leave(self, count: int, *, taken: bool) -> None:
        """So many have been sent, or were not taken."""
        with self._lock:
            self._waiting -= count
            self._gone += 0 if taken else count
        if not taken:
            self._not_taken.inc(count)

    @property
    def waiting(self) -> int:
        """How many wait, or are being sent."""
        with self._lock:
            return self._waiting

    @property
    def lost(self) -> int:
        """How many are lost by now, and those that wait: at the end of a process these are lost, too."""
        with self._lock:
            return self._gone + self._waiting
