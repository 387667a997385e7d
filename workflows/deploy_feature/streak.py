"""When something has been well for long enough: a time without a break, in which some looks may fail."""

from datetime import datetime, timedelta


class Streak:
    """The looks at one thing, in order.

    Args:
        lasts: So long it must be well.
        tolerate: So many looks in that time may fail.
    """

    def __init__(self, lasts: timedelta, *, tolerate: int = 0) -> None:
        self._lasts = lasts
        self._tolerate = tolerate
        self._began: datetime | None = None
        self._failed = 0

    def look(self, at: datetime, *, well: bool) -> bool:
        """Take one look into account; whether it has been well for long enough by now."""
        if well:
            if self._began is None:
                self._began, self._failed = at, 0
            return at - self._began >= self._lasts
        self._failed += 1
        if self._failed > self._tolerate:
            self._began = None
        return False

    def can_last(self, until: datetime, *, next_look: datetime) -> bool:
        """Whether it can be well for long enough by then, if every look from the next one on is."""
        return (self._began or next_look) + self._lasts <= until
