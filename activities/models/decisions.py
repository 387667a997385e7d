"""How often people decide on what models planned, on one day: reserved before they are asked, settled at the end.

Beside the book of what is asked of models, by the same process (decision 0036). A run of a goal has one entry, which
says all that it takes: to tell it again, by a retry or a replay, changes nothing.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from activities.guard.ledger import LedgerError, Page
from activities.guard.pages import BookRecords, Pages
from activities.guard.who_asked import asked_by
from activities.models.decision_contracts import COUNT_DECISIONS, CountDecisions, DecisionsCounted
from activities.step import implements
from connectors.models.deployment import Models
from connectors.models.raw import Per

MOST_RUNS: Final = 8_000
"""On one page: about 600 kB as Vault keeps it, which takes a megabyte at most."""
_DIGITS: Final = 24


class Taken(BaseModel):
    """What one run takes of a day.

    Attributes:
        ended: Whether that is what it used: nothing raises it any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decisions: int = Field(ge=0)
    ended: bool = False


class DecisionsPage(Page):
    """Of one day: what each run takes."""

    runs: dict[str, Taken] = Field(default_factory=dict[str, Taken])

    @property
    def sum(self) -> int:
        """Of all runs."""
        return sum(one.decisions for one in self.runs.values())

    def reserved(self, run: str, decisions: int, *, cap: int) -> Self | None:
        """The page on which this run takes so many; None where there is no room for them.

        Raises:
            LedgerError: There are too many runs on it.
        """
        found = self.runs.get(run, Taken(decisions=0))
        if found.ended or found.decisions >= decisions:
            return self
        if self.sum - found.decisions + decisions > cap:
            return None
        if run not in self.runs and len(self.runs) >= MOST_RUNS:
            raise LedgerError(f"people were asked by {MOST_RUNS} goals on one day, and by no more they may be")
        return type(self)(runs={**self.runs, run: Taken(decisions=decisions)})

    def settled(self, run: str, decisions: int) -> Self:
        """The page on which this run took so many, and not more than it had reserved."""
        found = self.runs.get(run)
        if found is None or found.ended:
            return self
        used = Taken(decisions=min(decisions, found.decisions), ended=True)
        return type(self)(runs={**self.runs, run: used})


class DecisionBook:
    """The step, over the book.

    Args:
        records: Where its pages lie.
        models: The file with the limit.
        environment: Whose book.
        clock: What time it is, in UTC.
    """

    def __init__(
        self,
        records: BookRecords,
        models: Models,
        *,
        environment: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._models, self._limits = models, models.limits
        self._book, self._now = f"model-limits/{environment}", clock
        self._days = Pages(records, DecisionsPage)

    @implements(COUNT_DECISIONS)
    async def count_decisions(self, request: CountDecisions) -> DecisionsCounted:
        """Write down what a run takes of its day. That there is no room is an answer, and no failure.

        Raises:
            Unavailable: The book cannot be written now; nobody may be asked until it can.
        """
        cap, info = self._limits.day_decisions, activity.info()
        if cap is None:
            return DecisionsCounted()
        day, requester = request.day or f"{self._now():%Y-%m-%d}", asked_by() or ""
        run = _digest(info.workflow_id, info.workflow_run_id)
        page = f"{self._book}/decisions-{day}"
        if self._limits.day_per is Per.REQUESTER:
            page = f"{page}-{_digest(requester)}"
        if request.ended:
            await self._days.apply(page, lambda found: (found.settled(run, request.decisions), None))
            return DecisionsCounted(day=day)
        full = await self._days.apply(page, lambda found: _reserved(found, run, request.decisions, cap))
        return DecisionsCounted(day=day, refused=self._why(full, request, requester, day, cap))

    def _why(self, full: int | None, request: CountDecisions, requester: str, day: str, cap: int) -> str | None:
        if full is None:
            return None
        whose = repr(requester or "nobody") if self._limits.day_per is Per.REQUESTER else "everybody"
        many = f"{request.decisions} time{'' if request.decisions == 1 else 's'}"
        return (
            f"people would have to decide {many} for it, and on {day} (UTC) {whose} has {full} of {cap} decisions in "
            f"use: ask for less, wait for tomorrow, or have an operator raise `limits.day.decisions` in "
            f"{self._models.source}"
        )


def _reserved(page: DecisionsPage, run: str, decisions: int, cap: int) -> tuple[DecisionsPage, int | None]:
    after = page.reserved(run, decisions, cap=cap)
    return (page, page.sum) if after is None else (after, None)


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\0".join(part or "" for part in parts).encode()).hexdigest()[:_DIGITS]
