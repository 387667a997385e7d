"""The book of budgets at a real OpenBao, under the rights that the two workers have."""

import asyncio
import dataclasses
import secrets
from datetime import UTC, datetime
from typing import cast

import pytest
from pydantic import BaseModel
from temporalio.testing import ActivityEnvironment

from activities.guard.budgets import Budgets, Reservation
from activities.guard.ledger import Ledger
from activities.guard.rules import Execution
from activities.step import Step, implements
from connectors.errors import AuthDenied, Unavailable
from hitl.policy.rules import Budget
from hitl.protocol import Effect, Refusal
from tests.connectors.vault.server import House

CAP, EACH, GOALS = 10_000, 70, 200


class Buy(BaseModel):
    cents: int

    def spend(self) -> int | None:
        return self.cents


class Shop:
    @implements(Step(name="shop.buy_it", request=Buy, response=Buy, effect=Effect.WRITE))
    async def buy(self, request: Buy) -> Buy:
        return request


def buy(goal: str) -> Execution:
    info = dataclasses.replace(
        ActivityEnvironment().info, workflow_id=goal, scheduled_time=datetime(2026, 11, 29, tzinfo=UTC)
    )
    return Execution(info=info, fn=Shop().buy, args=(Buy(cents=EACH),))


async def test_two_processes_and_many_goals_at_once_stay_within_the_cap(house: House) -> None:
    environment = f"test-{secrets.token_hex(4)}"
    connectors, destructive = await house.login("connectors"), await house.login("destructive")
    books = [Budgets(one, environment=environment) for one in (connectors, destructive)]

    async def run(number: int) -> Reservation | Refusal:
        one = buy(f"{environment}-{number}")
        while True:
            try:
                return await books[number % 2].reserve(one, EACH, Budget(day=CAP))
            except Unavailable:  # others wrote it all the time: Temporal tries again
                await asyncio.sleep(0.05)

    found = await asyncio.gather(*map(run, range(GOALS)))
    let = [one for one in found if isinstance(one, Reservation)]
    assert len(let) == CAP // EACH
    page = cast("dict[str, str]", house.server.data(f"banksman/data/{let[0].day}")["data"])
    assert Ledger.read(page["text"]).total == CAP // EACH * EACH


@pytest.mark.parametrize("role", ["goals", "gateway", "sandbox"])
async def test_no_other_process_writes_the_book(house: House, role: str) -> None:
    session = await house.login(role)
    with pytest.raises(AuthDenied):
        await session.change(f"budgets/live/day-{secrets.token_hex(4)}", lambda _: "{}")


async def test_the_models_worker_writes_a_book_of_its_own_and_no_other(house: House) -> None:
    session, page = await house.login("models"), f"model-limits/live/day-{secrets.token_hex(4)}"
    await session.change(page, lambda _: "{}")
    assert house.server.data(f"banksman/data/{page}")
    with pytest.raises(AuthDenied):
        await session.change(f"budgets/live/day-{secrets.token_hex(4)}", lambda _: "{}")


@pytest.mark.parametrize("role", ["goals", "gateway", "sandbox", "connectors", "destructive"])
async def test_no_process_without_keys_of_models_writes_theirs(house: House, role: str) -> None:
    session = await house.login(role)
    with pytest.raises(AuthDenied):
        await session.change(f"model-limits/live/day-{secrets.token_hex(4)}", lambda _: "{}")


async def test_the_relay_writes_pages_of_served_models_and_nothing_else(house: House) -> None:
    session, page = await house.login("relay"), f"served/live/{secrets.token_hex(4)}"
    await session.change(page, lambda _: "{}")
    assert house.server.data(f"banksman/data/{page}")
    for other in ("model-limits/live/day-x", "budgets/live/day-x"):
        with pytest.raises(AuthDenied):
            await session.change(other, lambda _: "{}")
    for secret in ("models/lab", "payload-keys", "lambdalabs/key"):
        with pytest.raises(AuthDenied):
            await session.read(secret)


@pytest.mark.parametrize("role", ["goals", "gateway", "sandbox", "connectors", "destructive"])
async def test_no_other_process_says_who_serves_a_model(house: House, role: str) -> None:
    session = await house.login(role)
    with pytest.raises(AuthDenied):
        await session.change(f"served/live/{secrets.token_hex(4)}", lambda _: "{}")
