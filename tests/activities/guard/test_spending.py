"""The guard around steps that cost something: reserved before, settled after, refused where there is no room."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.guard.audit import AuditLog, AuditRecord
from activities.guard.budgets import Budgets
from activities.guard.error_types import denial_of
from activities.guard.interceptor import GuardInterceptor
from activities.guard.ledger import Ledger
from activities.guard.policy_source import PolicySource
from activities.step import Step, implements
from connectors.errors import InvalidRequest, OutcomeUnknown, Unavailable
from hitl.protocol import Effect, Ended, Hired, RefusalReason
from tests.activities.guard.attempts import times

POLICY = "environments: {local: {phase: non_critical_writes, budget: {day: 1, goal: 1}}}"


class Buy(BaseModel):
    cents: int
    unclear: bool = False

    def spend(self) -> int | None:
        if self.unclear:
            raise ValueError("the price is not a price")
        return self.cents


class Bought(BaseModel):
    cents: int | None = None

    def spent(self) -> int | None:
        return self.cents


@dataclass
class Shop:
    answer: BaseModel = field(default_factory=Bought)
    fails: Exception | None = None
    sold: list[int] = field(default_factory=list[int])

    @implements(Step(name="shop.buy_it", request=Buy, response=Bought, effect=Effect.WRITE))
    async def buy(self, request: Buy) -> Bought:
        self.sold.append(request.cents)
        if self.fails is not None:
            raise self.fails
        return cast("Any", self.answer)


class Launched(Bought):
    """What pays by the hour."""

    def hired(self) -> Hired | None:
        return Hired(mark="m", thing="i", cents_per_hour=60)


class Looked(BaseModel):
    """What a provider's list says."""

    gone: bool = True

    def resource_ended(self) -> Ended | None:
        return Ended(mark="m", things=() if self.gone else ("i",))


@dataclass
class Book:
    pages: dict[str, str] = field(default_factory=dict[str, str])
    sealed: bool = False

    async def change(self, path: str, change: Callable[[str | None], str]) -> None:
        if self.sealed:
            raise Unavailable("Vault is sealed")
        self.pages[path] = change(self.pages.get(path))

    @property
    def used(self) -> set[int]:
        """What each page has in use: the day's and the goal's are to say the same."""
        return {Ledger.read(text).total for path, text in self.pages.items() if "/hours-" not in path}


class _Call(ActivityInboundInterceptor):
    """The end of the chain, as the worker has it."""

    def __init__(self) -> None: ...

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        return await input.fn(*input.args)


class House:
    """One guarded worker's worth of parts."""

    def __init__(self, folder: Path) -> None:
        self.shop, self.book = Shop(), Book()
        self.policy = folder / "policy.yaml"
        self.policy.write_text(POLICY)
        self.log = folder / "audit.jsonl"
        self.audit = AuditLog(self.log)
        self.budgets: Budgets | None = Budgets(self.book, environment="local")

    async def buy(self, cents: int, *, step: str = "1", unclear: bool = False) -> object:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            activity_type="shop.buy_it",
            activity_id=step,
            **times(),  # pyright: ignore[reportArgumentType] - any field
        )
        guard = GuardInterceptor(
            PolicySource(self.policy, environment="local"), self.audit, role="connectors", budgets=self.budgets
        )
        call = ExecuteActivityInput(
            fn=self.shop.buy, args=(Buy(cents=cents, unclear=unclear),), executor=None, headers={}
        )
        return await environment.run(guard.intercept_activity(_Call()).execute_activity, call)

    async def refused(self, cents: int, **given: object) -> RefusalReason:
        with pytest.raises(ApplicationError) as caught:
            await self.buy(cents, **given)  # pyright: ignore[reportArgumentType] - a test's
        denial = denial_of(caught.value)
        assert denial is not None
        return denial.reason

    def records(self) -> list[AuditRecord]:
        return [AuditRecord.model_validate_json(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.audit.close()


async def test_what_fits_runs_and_is_settled(house: House) -> None:
    house.shop.answer = Bought(cents=30)
    await house.buy(70)
    assert house.book.used == {30}
    await house.buy(70, step="2")
    assert house.book.used == {60}


async def test_what_does_not_fit_never_reaches_its_step(house: House) -> None:
    await house.buy(70)
    assert await house.refused(31, step="2") is RefusalReason.BUDGET
    assert house.shop.sold == [70]
    assert house.book.used == {70}
    assert house.records()[-1].reason is RefusalReason.BUDGET


async def test_what_its_provider_refused_costs_nothing(house: House) -> None:
    house.shop.fails = InvalidRequest("no such thing")
    with pytest.raises(ApplicationError):
        await house.buy(100)
    assert house.book.used == {0}


@pytest.mark.parametrize("fails", [OutcomeUnknown("nobody knows"), Unavailable("gone"), RuntimeError("a bug")])
async def test_what_may_have_been_bought_stays_reserved(house: House, fails: Exception) -> None:
    house.shop.fails = fails
    with pytest.raises((ApplicationError, RuntimeError)):
        await house.buy(100)
    assert house.book.used == {100}
    house.shop.fails = None
    assert await house.refused(1, step="2") is RefusalReason.BUDGET


@pytest.mark.parametrize("capped", [True, False])
async def test_hours_that_were_not_used_come_back_by_the_answer_of_a_step_that_looked(
    house: House, capped: bool
) -> None:
    house.shop.answer = Launched(cents=100)
    await house.buy(100)
    for said in (Looked(gone=False), Looked()):
        house.shop.answer = said
        if not capped:
            house.policy.write_text("environments: {local: {phase: non_critical_writes}}")
        await house.buy(0, step="2")
    assert house.book.used <= ({0, 1} if capped else {100})


async def test_a_book_that_is_gone_when_something_ends_fails_no_step(house: House) -> None:
    house.shop.answer = Launched(cents=100)
    await house.buy(100)
    house.book.sealed, house.shop.answer = True, Looked()
    assert await house.buy(0, step="2") == Looked()
    house.book.sealed = False
    assert house.book.used == {100}


async def test_without_the_book_nothing_is_bought(house: House) -> None:
    house.book.sealed = True
    with pytest.raises(ApplicationError) as waits:
        await house.buy(1)
    assert (waits.value.type, waits.value.non_retryable) == ("Unavailable", False)
    house.budgets = None
    assert await house.refused(1) is RefusalReason.BUDGET
    assert house.shop.sold == []


async def test_a_book_that_is_gone_after_the_effect_fails_no_step(house: House) -> None:
    buy = house.shop.buy

    async def and_seal(request: Buy) -> Bought:
        house.book.sealed = True
        return await buy(request)

    and_seal.__dict__.update(buy.__func__.__dict__)
    house.shop.buy = and_seal  # pyright: ignore[reportAttributeAccessIssue] - for this test
    assert await house.buy(100) == Bought()
    assert house.book.used == {100}


async def test_a_price_that_is_unclear_is_refused(house: House) -> None:
    assert await house.refused(1, unclear=True) is RefusalReason.MALFORMED_REQUEST


async def test_where_nothing_is_capped_nothing_is_written(house: House) -> None:
    house.policy.write_text("environments: {local: {phase: non_critical_writes}}")
    house.budgets = None
    await house.buy(10**9)
    assert house.book.pages == {}
