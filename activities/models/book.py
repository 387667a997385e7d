"""What one run of a goal, and one day, used of language models: two kinds of pages of a book. Pure.

Amounts are millionths of a US dollar. Each attempt at a request has an entry of its own, since each may be billed. A
day's page knows runs and not requests: a busy day has too many.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.ledger import LedgerError, Page

MOST: Final = 8_000
"""Requests on a run's page, and runs on a day's: about 600 kB as Vault keeps it, which takes a megabyte at most."""


class Limit(StrEnum):
    """What may be used up."""

    MONEY = "money"
    REQUESTS = "requests"
    MINUTES = "minutes"


class Full(BaseModel):
    """Why there is no room: how much of what is in use, in the limit's own unit."""

    model_config = ConfigDict(frozen=True)

    limit: Limit
    used: int
    cap: int


class Caps(BaseModel):
    """Of one run; None for no limit."""

    model_config = ConfigDict(frozen=True)

    micros: int | None = None
    requests: int | None = None
    minutes: int | None = None


class Asked(BaseModel):
    """One attempt at a request.

    Attributes:
        micros: What it may cost, and from its answer on what it has cost.
        day: Whose page it counts on, as in 2026-11-30.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    micros: int = Field(ge=0)
    day: str


class RunPage(Page):
    """Of one run of a goal.

    Attributes:
        since: When it first asked.
        writes: How often it was changed: of two that tell its sum, the one with more is right.
        asked: By the attempt's key.
    """

    since: datetime | None = None
    writes: int = 0
    asked: dict[str, Asked] = Field(default_factory=dict[str, Asked])

    def sum(self, day: str | None = None) -> int:
        """Of one day, or of all."""
        return sum(one.micros for one in self.asked.values() if day in {None, one.day})

    def reserved(self, key: str, asked: Asked, *, now: datetime, caps: Caps) -> "Self | Full":
        """The page with this attempt; or what of the caps is used up.

        Raises:
            LedgerError: There are too many requests on it.
        """
        if key in self.asked:
            return self
        if (full := self._full(asked, now, caps)) is not None:
            return full
        if len(self.asked) >= MOST:
            raise LedgerError(f"a goal has asked language models {MOST} times, and may not more often in one run")
        return self._with({**self.asked, key: asked}, since=self.since or now)

    def _full(self, asked: Asked, now: datetime, caps: Caps) -> Full | None:
        if caps.requests is not None and len(self.asked) >= caps.requests:
            return Full(limit=Limit.REQUESTS, used=len(self.asked), cap=caps.requests)
        took = now - (self.since or now)
        if caps.minutes is not None and took > timedelta(minutes=caps.minutes):
            return Full(limit=Limit.MINUTES, used=took // timedelta(minutes=1), cap=caps.minutes)
        if caps.micros is not None and self.sum() + asked.micros > caps.micros:
            return Full(limit=Limit.MONEY, used=self.sum(), cap=caps.micros)
        return None

    def settled(self, key: str, micros: int) -> Self:
        """The page with what an attempt has cost, in place of what it might."""
        found = self.asked.get(key)
        return self if found is None else self._with({**self.asked, key: Asked(micros=micros, day=found.day)})

    def without(self, key: str) -> Self:
        """The page without an attempt that surely cost nothing."""
        return self._with({name: one for name, one in self.asked.items() if name != key})

    def _with(self, asked: dict[str, Asked], since: datetime | None = None) -> Self:
        return type(self)(since=since or self.since, writes=self.writes + 1, asked=asked)


class Share(BaseModel):
    """What one run takes of a day, by its page as it was after so many writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    micros: int = Field(ge=0)
    writes: int


class DayPage(Page):
    """Of one day: the share of each run."""

    runs: dict[str, Share] = Field(default_factory=dict[str, Share])

    @property
    def sum(self) -> int:
        """Of all runs."""
        return sum(one.micros for one in self.runs.values())

    def shared(self, run: str, share: Share, *, cap: int | None) -> "Self | Full":
        """The page with a run's newer share; a smaller one has room always, and an older one is in it already.

        What is given back is written whatever the cap is, with what else the run has just reserved: an older share that
        comes after that has room only if all of it has.

        Raises:
            LedgerError: There are too many runs on it.
        """
        found = self.runs.get(run, Share(micros=0, writes=0))
        if found.writes >= share.writes:
            return self if cap is None or self.sum <= cap else Full(limit=Limit.MONEY, used=self.sum, cap=cap)
        others = self.sum - found.micros
        if cap is not None and share.micros > found.micros and others + share.micros > cap:
            return Full(limit=Limit.MONEY, used=self.sum, cap=cap)
        if run not in self.runs and len(self.runs) >= MOST:
            raise LedgerError(f"{MOST} goals have asked language models on one day, and no more may")
        return type(self)(runs={**self.runs, run: share})
