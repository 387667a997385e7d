"""Money under the guard: never a cent over a cap, whoever asks at once, however often, and whoever dies in between."""

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from pydantic import BaseModel
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.guard.budgets import Budgets, Reservation, refused_for_sure, spend_of
from activities.guard.granted import GrantedRequest
from activities.guard.ledger import MOST_STEPS, Ledger, LedgerError
from activities.guard.rules import Execution
from activities.step import Step, implements
from connectors.errors import Unavailable
from hitl.approval.plan import Cost
from hitl.policy.rules import Budget
from hitl.protocol import Effect, PolicyContext, Refusal, RefusalReason
from tests.activities.played_book import PlayedBook
from tests.hitl.approval.granting import make_plan

DAY, GOAL = 10_000, 2_500


class Buy(BaseModel):
    """A request that says what it may cost."""

    cents: int

    def spend(self) -> int | None:
        return self.cents


class Bought(BaseModel):
    """An answer that says what it has cost."""

    cents: int | None

    def spent(self) -> int | None:
        return self.cents


class Rent(BaseModel):
    """A request that says whole dollars, where policies match them."""

    dollars: int

    def policy_context(self) -> PolicyContext:
        return PolicyContext(cost=self.dollars)


class Shop:
    @implements(Step(name="shop.buy_it", request=Buy, response=Bought, effect=Effect.WRITE))
    async def buy(self, request: Buy) -> Bought:
        return Bought(cents=request.cents)

    @implements(Step(name="shop.rent_it", request=Rent, response=Bought, effect=Effect.WRITE))
    async def rent(self, request: Rent) -> Bought:
        return Bought(cents=None)

    @implements(Step(name="shop.price_it", request=Buy, response=Bought, effect=Effect.READ))
    async def price(self, request: Buy) -> Bought:
        return Bought(cents=request.cents)

    @implements(Step(name="shop.sell_it", request=GrantedRequest, response=Bought, effect=Effect.DESTRUCTIVE))
    async def sell(self, request: GrantedRequest) -> Bought:
        return Bought(cents=None)


SHOP = Shop()
INFO = ActivityEnvironment().info


class Book(PlayedBook):
    """That of the policy's budgets."""

    def used(self, part: str = "/day-") -> int:
        return sum(Ledger.read(text).total for path, text in self.pages.items() if part in path)


def execution(
    fn: Callable[..., Awaitable[object]], request: object, *, goal: str = "g", step: str = "1", at: int = 0
) -> Execution:
    info: activity.Info = dataclasses.replace(
        INFO,
        workflow_id=goal,
        workflow_run_id=f"run-{goal}",
        activity_id=step,
        scheduled_time=datetime(2026, 11, 29, tzinfo=UTC) + timedelta(seconds=at),
        activity_type="shop.buy_it",
    )
    return Execution(info=info, fn=fn, args=(request,))


def buy(cents: int, *, goal: str = "g", step: str = "1", at: int = 0) -> Execution:
    return execution(SHOP.buy, Buy(cents=cents), goal=goal, step=step, at=at)


async def reserved(budgets: Budgets, one: Execution, budget: Budget) -> Reservation:
    found = await budgets.reserve(one, spend_of(one), budget)
    assert isinstance(found, Reservation), found
    return found


def test_what_a_step_may_cost_is_what_its_request_says() -> None:
    assert spend_of(buy(123)) == 123
    assert spend_of(execution(SHOP.rent, Rent(dollars=3))) == 300
    assert spend_of(execution(SHOP.price, Buy(cents=123))) == 0, "a look costs nothing"


@pytest.mark.parametrize(
    ("cost", "cents"),
    [
        (None, 0),
        (Cost(usd_cents=150, per="once"), 150),
        (Cost(usd_cents=150, per="month"), 150),
        (Cost(usd_cents=1, per="hour"), 744),
    ],
)
def test_what_an_approved_step_may_cost_is_what_its_plan_says(cost: Cost | None, cents: int) -> None:
    plan = make_plan().model_copy(update={"cost": cost})
    assert spend_of(execution(SHOP.sell, GrantedRequest(plan=plan.text(), decisions=()))) == cents


async def test_to_the_cent_and_no_further() -> None:
    book = Book()
    budgets = Budgets(book, environment="live")
    budget = Budget(day=1000)
    await reserved(budgets, buy(999, step="1"), budget)
    await reserved(budgets, buy(1, step="2"), budget)
    refused = await budgets.reserve(buy(1, step="3"), 1, budget)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.BUDGET
    assert "may cost $0.01, and 'live' has $10.00 of $10.00 in use" in refused.explanation
    assert book.used() == book.used("/goal-") == 1000


async def test_a_goal_has_a_cap_of_its_own_and_a_refusal_leaves_nothing_behind() -> None:
    book = Book()
    budgets = Budgets(book, environment="live")
    budget = Budget(day=DAY, goal=GOAL)
    await reserved(budgets, buy(GOAL, goal="a"), budget)
    refused = await budgets.reserve(buy(1, goal="a", step="2"), 1, budget)
    assert isinstance(refused, Refusal)
    assert "its goal has $25.00 of $25.00 in use" in refused.explanation
    for other in "bcd":
        await reserved(budgets, buy(GOAL, goal=other), budget)
    full = await budgets.reserve(buy(1, goal="e"), 1, budget)
    assert isinstance(full, Refusal)
    assert "budget.day" in full.explanation
    assert book.used() == book.used("/goal-") == DAY


async def test_a_retry_finds_what_it_reserved_and_the_same_id_later_does_not() -> None:
    book = Book()
    budgets = Budgets(book, environment="live")
    budget = Budget(day=100)
    first = await reserved(budgets, buy(60), budget)
    again = await reserved(budgets, buy(60), budget)
    assert (first.fresh, again.fresh) == (True, False)
    assert (first.key, book.used()) == (again.key, 60)
    assert isinstance(await budgets.reserve(buy(60, at=1), 60, budget), Refusal)


async def test_a_retry_after_midnight_counts_where_it_was_reserved() -> None:
    book, now = Book(), [datetime(2026, 11, 29, 23, 59, tzinfo=UTC)]
    budgets = Budgets(book, environment="live", clock=lambda: now[0])
    budget = Budget(day=100)
    first = await reserved(budgets, buy(100), budget)
    now[0] += timedelta(minutes=2)
    again = await reserved(budgets, buy(100), budget)
    assert first.day == again.day == "budgets/live/day-2026-11-29"
    assert (await reserved(budgets, buy(100, goal="another"), budget)).day == "budgets/live/day-2026-11-30"


async def test_one_that_died_before_the_days_page_counts_on_the_day_that_it_goes_on() -> None:
    book, now = Book(loses=1), [datetime(2026, 11, 29, 23, 59, tzinfo=UTC)]
    budgets = Budgets(book, environment="live", clock=lambda: now[0])
    budget = Budget(day=100)
    with pytest.raises(Unavailable):
        await budgets.reserve(buy(100), 100, budget)
    assert [path for path in book.pages if "/day-" in path] == []
    book.loses = 0
    now[0] += timedelta(minutes=2)
    assert (await reserved(budgets, buy(100), budget)).day == "budgets/live/day-2026-11-30"
    assert book.used() == book.used("/goal-") == 100


async def test_it_settles_what_it_really_cost_and_gives_the_rest_back() -> None:
    book = Book()
    budgets = Budgets(book, environment="live")
    budget = Budget(day=100, goal=100)
    await budgets.settle(await reserved(budgets, buy(100), budget), Bought(cents=40))
    assert book.used() == book.used("/goal-") == 40
    await budgets.settle(await reserved(budgets, buy(60, step="2"), budget), Bought(cents=None))
    assert book.used() == 100
    # Tried again after it had settled, because its worker died before it could say so:
    again = await reserved(budgets, buy(100), budget)
    assert (again.cents, again.fresh, book.used()) == (40, False, 100)
    await budgets.release(again)
    assert book.used() == 100, "what was spent is never given back"


async def test_only_what_surely_had_no_effect_is_given_back() -> None:
    budgets = Budgets(Book(), environment="live")
    budget = Budget(day=100)
    first = await reserved(budgets, buy(100), budget)
    assert refused_for_sure(first, "InvalidRequest")
    for kind in ("OutcomeUnknown", "Unavailable", "RateLimited", "Conflict", None):
        assert not refused_for_sure(first, kind)
    await budgets.release(first)
    other = await reserved(budgets, buy(100, goal="another"), budget)
    again = await reserved(budgets, buy(100, goal="another"), budget)
    assert not refused_for_sure(again, "InvalidRequest"), "an attempt came before"
    await budgets.release(other)  # the first attempt is late with its word, and the second one may be buying
    assert isinstance(await budgets.reserve(buy(1), 1, budget), Refusal)


@pytest.mark.parametrize("seed", range(2))
async def test_a_thousand_goals_at_once_on_three_workers_never_a_cent_over(seed: int) -> None:
    """With answers that are lost, retries on other workers, and settlements in between."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    book, budget = Book(loses=7), Budget(day=DAY, goal=GOAL)
    processes = [Budgets(book, environment="live") for _ in range(3)]
    most, spent = 0, 0

    async def run(goal: int) -> None:
        nonlocal most, spent
        one = buy(chance.randint(1, 60), goal=str(goal))
        found: Reservation | Refusal | None = None
        while found is None:
            try:
                found = await chance.choice(processes).reserve(one, spend_of(one), budget)
            except Unavailable:
                await asyncio.sleep(0)
        if goal % 20 == 0:  # each look reads the whole book
            most = max(most, book.used())
        if isinstance(found, Refusal):
            return
        cents = chance.randint(0, found.cents)
        spent += cents
        done = False
        while not done:
            try:
                await chance.choice(processes).settle(found, Bought(cents=cents))
                done = True
            except Unavailable:
                await asyncio.sleep(0)

    await asyncio.gather(*map(run, range(1000)))
    assert most <= DAY
    assert book.used() == spent <= DAY
    assert book.used("/goal-") == spent
    assert book.writes_of_days < 100, "many steps are written together"


async def test_a_page_that_cannot_be_read_lets_nobody_spend() -> None:
    book = Book()
    book.pages["budgets/live/day-2026-11-29"] = '{"steps": {"x": {"dollars": 1}}}'
    budgets = Budgets(book, environment="live", clock=lambda: datetime(2026, 11, 29, tzinfo=UTC))
    with pytest.raises(Unavailable, match="not of this release"):
        await budgets.reserve(buy(1), 1, Budget(day=100))


def test_a_full_page_takes_no_more() -> None:
    page = Ledger.read('{"steps":{' + ",".join(f'"{number:024d}":{{"cents":1}}' for number in range(MOST_STEPS)) + "}}")
    assert len(page.text().replace('"', '\\"')) < 700_000, "Vault takes a megabyte"
    with pytest.raises(LedgerError, match="takes no more"):
        page.reserved("one more", 1, day="", cap=None)


async def test_what_is_reserved_and_what_is_spent_are_shown_apart() -> None:
    def shown() -> list[float | None]:
        return [REGISTRY.get_sample_value(f"banksman_budget_{one}_cents") for one in ("used", "spent", "cap")]

    budgets, budget = Budgets(Book(), environment="live"), Budget(day=DAY, goal=GOAL)
    first = await reserved(budgets, buy(1000), budget)
    second = await reserved(budgets, buy(500, step="2"), budget)
    assert shown() == [1500, 0, DAY]
    await budgets.settle(first, Bought(cents=700))
    assert shown() == [1200, 700, DAY]
    await budgets.release(second)
    assert shown() == [700, 700, DAY]
