"""Money: reserved before a step that costs, settled after it, and never more than the policy's caps.

The guard does it, for every step whose request says a cost, so that no workflow code can leave it out. The book lies in
Vault, written by check-and-set (decision 0025): one page for each goal's run and one for each day of the environment.
Two processes that reserve at once cannot both take the last dollar; many steps of one process are written together.

What nobody can say about keeps its reservation: a step whose answer was lost may have spent it.
"""

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Gauge
from temporalio import activity

from activities.guard.error_types import ErrorType
from activities.guard.hours import Hires, Payment
from activities.guard.ledger import Entry, Ledger, LedgerError
from activities.guard.pages import BookRecords, Pages, Unchanged
from activities.guard.rules import Execution
from connectors.errors import Unavailable
from hitl.policy.rules import Budget
from hitl.protocol import Effect, Ended, HasHired, HasSpend, HasSpent, Refusal, RefusalReason
from observability import names

_DIGITS: Final = 24
_CENTS: Final = 100
_SURELY_NOTHING: Final = frozenset(
    {
        ErrorType.AUTH_DENIED,
        ErrorType.INVALID_REQUEST,
        ErrorType.NOT_FOUND,
        ErrorType.POLICY_DENIED,
        ErrorType.QUOTA_EXHAUSTED,
    }
)
"""A first attempt that ends so was refused: nothing was bought."""
_USED: Final = Gauge(names.METRIC_BUDGET_USED, "Of today's budget, as this process wrote it last: reserved or spent.")
_SPENT: Final = Gauge(names.METRIC_BUDGET_SPENT, "Of what is used: spent, by what the steps said afterwards.")
_CAP: Final = Gauge(names.METRIC_BUDGET_CAP, "Today's budget, as the policy caps it; 0 where it does not.")

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What one execution of a step may spend.

    Attributes:
        key: The step's, the same for all its attempts.
        goal: The page of its goal's run.
        day: The page of the day on which it was first reserved.
        cents: At most.
        fresh: Whether it was reserved just now: no attempt before this one can have spent it.
        since: Before its first attempt could spend anything.
    """

    key: str
    goal: str
    day: str
    cents: int
    fresh: bool
    since: datetime


def spend_of(execution: Execution) -> int:
    """What an execution may cost at most, in US cents; 0 where it costs nothing, or only reads.

    A request that says it exactly goes before the whole dollars of its context, which policy rules match.
    """
    if execution.effect in {None, Effect.READ}:
        return 0
    if isinstance(execution.request, HasSpend):
        return execution.request.spend() or 0
    return (execution.context().cost or 0) * _CENTS


class Budgets:
    """The book of one environment, as one process writes it.

    Args:
        records: Where its pages lie.
        environment: Whose book.
        clock: What day it is, in UTC.
    """

    def __init__(self, records: BookRecords, *, environment: str, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self._environment = environment
        self._now = clock
        self._records, self._pages = records, Pages(records, Ledger)
        self._shown = _Shown(day="", used=0, spent=0, cap=0)
        _USED.set_function(lambda: float(self._today_shown().used))
        _SPENT.set_function(lambda: float(self._today_shown().spent))
        _CAP.set_function(lambda: float(self._today_shown().cap))

    async def reserve(self, execution: Execution, cents: int, budget: Budget) -> Reservation | Refusal:
        """Reserve what an execution may cost, or find what an earlier attempt reserved; or say why there is no room.

        Raises:
            Unavailable: The book cannot be written now, and nothing may be spent until it can.
        """
        info, key, today = execution.info, _key(execution.info), self._today()
        goal = f"budgets/{self._environment}/goal-{_digest(info.workflow_id, info.workflow_run_id)}"
        asked = f"{execution.action!r} may cost {_dollars(cents)}"
        mine = await self._pages.apply(goal, lambda page: _reserve(page, key, cents, day=today, cap=budget.goal))
        if isinstance(mine, _Full):
            return _refusal(
                f"{asked}, and its goal has {_dollars(mine.used)} of {_dollars(mine.cap)} in use",
                budget.way_out("goal"),
            )
        day = await self._day_of(goal, key, mine)
        there = await self._pages.apply(
            self._page_of(day), lambda page: _reserve(page, key, mine.entry.cents, day="", cap=budget.day)
        )
        self._shown = _Shown(day=day, used=there.used, spent=there.spent, cap=budget.day or 0)
        if isinstance(there, _Full):
            await self._pages.apply(goal, lambda page: (page.without(key), None))
            used = f"{self._environment!r} has {_dollars(there.used)} of {_dollars(there.cap)} in use on {day} (UTC)"
            return _refusal(f"{asked}, and {used}", budget.way_out("day"))
        fresh = mine.fresh and there.fresh
        return Reservation(
            key=key,
            goal=goal,
            day=self._page_of(day),
            cents=mine.entry.cents,
            fresh=fresh,
            since=min(info.scheduled_time, self._now()),
        )

    async def settle(self, reservation: Reservation, answer: object) -> None:
        """Write down what was really spent, where the answer says it; else what was reserved.

        Raises:
            Unavailable: It cannot be written now; the reservation stays.
        """
        said = answer.spent() if isinstance(answer, HasSpent) else None
        cents = reservation.cents if said is None else said
        for page in (reservation.day, reservation.goal):
            await self._write(page, lambda before: before.settled(reservation.key, cents))
        hired = answer.hired() if isinstance(answer, HasHired) else None
        if hired is not None and cents:
            paid = Payment(goal=reservation.goal, day=reservation.day, cents=cents)
            await self._hires(hired.mark, lambda page: page.paid(hired, reservation.key, paid, reservation.since))

    async def give_back_hours(self, ended: Ended) -> None:
        """Give back what was paid for hours that nothing with this mark runs on. Safe to repeat, whoever died within.

        Raises:
            Unavailable: It cannot be written now; the next look gives it back.
        """
        over = (await self._hires(ended.mark, lambda page: page.ended(ended, self._now()))).over(ended)
        for key, payment, cents in (each for one in over.values() for each in one.settlements()):
            for path in (payment.day, payment.goal):
                await self._write(path, lambda before, key=key, cents=cents: before.given_back(key, cents))
        if over:
            await self._hires(ended.mark, lambda page: page.without(over))

    async def release(self, reservation: Reservation) -> None:
        """Give back what surely came to nothing, unless a later attempt has found it and may spend it now.

        Raises:
            Unavailable: It cannot be written now; the reservation stays.
        """
        # In the order in which an attempt reserves: of one that begins meanwhile neither page is taken away.
        for page in (reservation.goal, reservation.day):
            await self._write(page, lambda before: before.released(reservation.key))

    async def _write(self, page: str, change: Callable[[Ledger], Ledger]) -> None:
        after = await self._pages.apply(page, lambda before: _twice(change(before)))
        if page == self._page_of(self._shown.day):
            self._shown = replace(self._shown, used=after.total, spent=after.spent)

    async def _hires(self, mark: str, change: Callable[[Hires], Hires]) -> Hires:
        """The page of a mark, changed."""
        after = Hires()

        def changed(text: str | None) -> str:
            nonlocal after
            before = Hires.read(text)
            after = change(before)
            if after == before:
                raise Unchanged
            return after.text()

        try:
            with contextlib.suppress(Unchanged):
                await self._records.change(f"budgets/{self._environment}/hours-{_digest(mark)}", changed)
        except LedgerError as error:
            raise Unavailable(f"the budget's book cannot be used: {error}") from error
        return after

    async def _day_of(self, goal: str, key: str, mine: "_Taken") -> str:
        """The day that it counts on: the one of an earlier attempt, where that got as far as that day's page."""
        today, day = self._today(), mine.entry.day
        if day == today or await self._pages.apply(self._page_of(day), lambda page: (page, key in page.steps)):
            return day
        await self._pages.apply(goal, lambda page: (page.moved(key, today), None))
        return today

    def _page_of(self, day: str) -> str:
        return f"budgets/{self._environment}/day-{day}"

    def _today(self) -> str:
        return f"{self._now():%Y-%m-%d}"

    def _today_shown(self) -> "_Shown":
        """Of yesterday nothing is shown."""
        return self._shown if self._shown.day == self._today() else _Shown(day="", used=0, spent=0, cap=0)


def refused_for_sure(reservation: Reservation, kind: str | None) -> bool:
    """Whether a step that failed so has surely spent nothing."""
    return reservation.fresh and kind in _SURELY_NOTHING


@dataclass(frozen=True, kw_only=True)
class _Shown:
    day: str
    used: int
    spent: int
    cap: int


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """What a step has on a page, and how much of the page is in use with it."""

    entry: Entry
    used: int
    spent: int
    fresh: bool


@dataclass(frozen=True, kw_only=True)
class _Full:
    """Why it has nothing there."""

    used: int
    spent: int
    cap: int


def _twice(page: Ledger) -> tuple[Ledger, Ledger]:
    """A page to be written, and to be looked at."""
    return page, page


def _reserve(page: Ledger, key: str, cents: int, *, day: str, cap: int | None) -> tuple[Ledger, _Taken | _Full]:
    fresh, after = key not in page.steps, page.reserved(key, cents, day=day, cap=cap)
    if after is None:
        return page, _Full(used=page.total, spent=page.spent, cap=cap or 0)
    return after, _Taken(entry=after.steps[key], used=after.total, spent=after.spent, fresh=fresh)


def _key(info: activity.Info) -> str:
    """One for all attempts at a step: a retry keeps the time it was first scheduled, the same id later does not."""
    return _digest(info.workflow_id, info.workflow_run_id, info.activity_id, info.scheduled_time.isoformat())


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\0".join(part or "" for part in parts).encode()).hexdigest()[:_DIGITS]


def _dollars(cents: int) -> str:
    return f"${cents / _CENTS:,.2f}"


def _refusal(why: str, way_out: str) -> Refusal:
    return Refusal(
        reason=RefusalReason.BUDGET,
        explanation=f"{why}; ask for something cheaper, or {way_out}.",
    )
