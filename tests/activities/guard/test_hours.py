"""Hours that were paid for and not used come back: to the cent, once, and only by what a provider's list says."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from activities.guard.budgets import Budgets, Reservation
from activities.guard.hours import SHOWS_WITHIN, Hire, Hires, Payment
from activities.guard.ledger import Ledger, LedgerError
from connectors.errors import Unavailable
from hitl.policy.rules import Budget
from hitl.protocol import Ended, Hired, Refusal
from tests.activities.guard.test_budgets import Book, buy

MARK, PRICE = "banksman-0123456789abcdef", 75
BEGAN = datetime(2026, 11, 29, tzinfo=UTC)
BUDGET = Budget(day=100_000, goal=100_000)
ENDS, GONE = Ended(mark=MARK, things=("i-1",)), Ended(mark=MARK)


class Launched(BaseModel):
    """The answer of a step that paid by the hour."""

    cents: int
    thing: str = "i-1"
    longer: bool = False

    def spent(self) -> int | None:
        return self.cents

    def hired(self) -> Hired | None:
        return Hired(mark=MARK, thing=self.thing, cents_per_hour=PRICE, longer=self.longer)


@dataclass
class House:
    """Workers with one book and one clock."""

    book: Book = field(default_factory=Book)
    now: datetime = BEGAN

    def __post_init__(self) -> None:
        self.workers = [Budgets(self.book, environment="live", clock=lambda: self.now) for _ in range(3)]

    @property
    def budgets(self) -> Budgets:
        return self.workers[0]

    async def paid(self, answer: Launched, *, goal: str = "g", at: int = 0) -> Reservation:
        found = await self.budgets.reserve(buy(answer.cents, goal=goal, at=at), answer.cents, BUDGET)
        assert isinstance(found, Reservation)
        await self.budgets.settle(found, answer)
        return found

    def used(self) -> int:
        assert self.book.used() == self.book.used("/goal-")
        return self.book.used()


@pytest.mark.parametrize(
    ("ran", "cents"),
    [
        (timedelta(0), 0),
        (timedelta(seconds=1), 2),
        (timedelta(minutes=1), 2),
        (timedelta(minutes=1, microseconds=1), 3),
        (timedelta(hours=1), 75),
        (timedelta(hours=2, minutes=59, seconds=59), 225),
        (timedelta(hours=3), 225),
        (timedelta(days=9), 225),
    ],
)
async def test_what_was_not_used_comes_back_by_the_minute_that_has_begun(ran: timedelta, cents: int) -> None:
    house = House()
    await house.paid(Launched(cents=225))
    house.now += ran
    await house.budgets.give_back_hours(ENDS)
    assert house.used() == 225, "it is still shown, and its end may fail"
    house.now += timedelta(minutes=30)
    await house.budgets.give_back_hours(GONE)
    assert house.used() == cents
    room = await house.budgets.reserve(buy(1, goal="other"), 100_000 - cents, Budget(day=100_000))
    assert isinstance(room, Reservation), "another goal can spend it"


async def test_it_comes_back_once_however_often_its_end_is_told() -> None:
    house = House()
    await house.paid(Launched(cents=225))
    house.now += timedelta(hours=1)
    await house.budgets.give_back_hours(ENDS)
    for told in (GONE, GONE, ENDS, GONE):
        house.now += timedelta(minutes=7)
        await asyncio.gather(*(one.give_back_hours(told) for one in house.workers))
        assert house.used() == 75


async def test_what_was_paid_for_longer_comes_back_before_what_was_paid_first() -> None:
    house = House()
    first = await house.paid(Launched(cents=150))
    house.now += timedelta(hours=23, minutes=30)
    longer = await house.paid(Launched(cents=2000, longer=True), goal="the-lease", at=9)
    house.now = BEGAN + timedelta(hours=3)
    await house.budgets.give_back_hours(ENDS)
    await house.budgets.give_back_hours(GONE)
    cents = {path: Ledger.read(text).total for path, text in house.book.pages.items() if "hours-" not in path}
    assert (cents[first.goal], cents[longer.goal]) == (150, 75)


async def test_a_list_that_does_not_show_yet_what_was_just_launched_gives_nothing_back() -> None:
    house = House()
    await house.paid(Launched(cents=225))
    house.now += SHOWS_WITHIN - timedelta(seconds=1)
    await house.budgets.give_back_hours(GONE)
    assert house.used() == 225
    house.now += timedelta(seconds=1)
    await house.budgets.give_back_hours(GONE)
    assert house.used() == 13


async def test_somebody_elses_end_gives_nothing_back() -> None:
    house = House()
    await house.paid(Launched(cents=225))
    house.now += timedelta(hours=1)
    for told in (Ended(mark="banksman-ffffffffffffffff", things=("i-1",)), Ended(mark=MARK, things=("i-1",))):
        await house.budgets.give_back_hours(told)
        assert house.used() == 225


async def test_time_that_nobody_knows_the_beginning_of_is_not_given_back() -> None:
    house = House()
    await house.paid(Launched(cents=225, longer=True))
    await house.budgets.give_back_hours(ENDS)
    await house.budgets.give_back_hours(GONE)
    assert house.used() == 225


async def test_a_second_machine_of_the_same_goal_has_hours_of_its_own() -> None:
    house = House()
    await house.paid(Launched(cents=225))
    house.now += timedelta(hours=1)
    await house.budgets.give_back_hours(ENDS)
    await house.paid(Launched(cents=225, thing="i-2"), at=3600)
    await house.budgets.give_back_hours(Ended(mark=MARK, things=("i-2",)))
    assert house.used() == 75 + 225
    house.now += timedelta(minutes=4)
    await house.budgets.give_back_hours(GONE)
    assert house.used() == 75, "of the second the end was seen as soon as it was launched"


async def test_a_page_of_another_release_gives_nothing_back() -> None:
    house = House()
    await house.paid(Launched(cents=225))
    [page] = [path for path in house.book.pages if "/hours-" in path]
    house.book.pages[page] = '{"things": {"i-1": 7}}'
    with pytest.raises(Unavailable, match="not of this release"):
        await house.budgets.give_back_hours(ENDS)
    with pytest.raises(LedgerError):
        Hires.read("{")
    assert house.used() == 225


def test_no_payment_ever_comes_to_more_than_was_paid() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(500):
        paid = [chance.randint(0, 500) for _ in range(chance.randint(1, 4))]
        ran = timedelta(seconds=chance.randint(-7200, 72_000))
        hire = Hire(
            cents_per_hour=chance.randint(0, 400),
            since=BEGAN,
            ended=BEGAN + ran,
            payments={str(number): Payment(goal="g", day="d", cents=one) for number, one in enumerate(paid)},
        )
        told = [cents for _, _, cents in hire.settlements()]
        assert all(0 <= one <= most for one, most in zip(told, paid, strict=True))
        assert sum(told) == min(sum(paid), hire.used())


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_dies_wherever_the_end_is_to_the_cent_and_never_too_small_before(seed: int) -> None:
    """Writes lose their answer, steps run again on other workers, and ends are told by many at once."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    house = House(Book(loses=3))

    async def insist(act: Callable[[Budgets], Awaitable[object]]) -> object:
        while True:
            try:
                return await act(chance.choice(house.workers))
            except Unavailable:
                await asyncio.sleep(0)

    hours = chance.randint(1, 6)
    paid = [(Launched(cents=hours * PRICE), "goal", 0)]
    paid += [(Launched(cents=PRICE, longer=True), "lease", number) for number in range(1, chance.randint(1, 4))]
    for answer, goal, at in paid:
        one = buy(answer.cents, goal=goal, at=at)
        found = await insist(lambda worker, one=one, cents=answer.cents: worker.reserve(one, cents, BUDGET))
        assert not isinstance(found, Refusal)
        await insist(lambda worker, found=found, answer=answer: worker.settle(found, answer))  # type: ignore[arg-type]
    every = sum(answer.cents for answer, _, _ in paid)
    ran = timedelta(minutes=chance.randint(0, 600))
    house.now += ran
    true = min(every, -(-(ran // timedelta(minutes=1)) * PRICE // 60))
    await asyncio.gather(*(insist(lambda worker: worker.give_back_hours(ENDS)) for _ in range(3)))
    assert house.used() == every
    house.now += timedelta(minutes=3)
    told = [asyncio.create_task(insist(lambda worker: worker.give_back_hours(GONE))) for _ in range(4)]
    while not all(one.done() for one in told):
        assert true <= house.book.used() <= every
        await asyncio.sleep(0)
    assert house.used() == true
