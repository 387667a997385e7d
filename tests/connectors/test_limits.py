"""What an account may ask: turns by its rate, one refusal for all who ask in its name, and nobody held for long."""

import asyncio
from datetime import timedelta

import pytest

from connectors.errors import RateLimited
from connectors.limits import Allowance, Rate

SHORT = timedelta(milliseconds=60)


class Time:
    """A clock that stands until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_refusal_closes_the_account_for_all_and_a_little_longer_than_asked() -> None:
    clock = Time()
    account = Allowance(clock=clock)
    account.require("a branch")
    account.close(timedelta(seconds=30))
    with pytest.raises(RateLimited, match="so a branch was not asked for") as closed:
        account.require("a branch")
    assert closed.value.retry_after is not None
    assert timedelta(seconds=30) <= closed.value.retry_after <= timedelta(seconds=33)
    account.close(timedelta(seconds=1))  # what another heard of an earlier limit opens nothing
    clock.now += 29.9
    with pytest.raises(RateLimited):
        account.require("a branch")
    clock.now += 3.2
    account.require("a branch")


async def test_turns_come_by_the_rate_after_a_burst() -> None:
    account, loop = Allowance(Rate(per_second=50, burst=3)), asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(account.turn("a message") for _ in range(13)))
    assert 0.19 <= loop.time() - began <= 2


async def test_who_gets_no_turn_in_time_is_handed_back_and_waited_for_it() -> None:
    account, loop = Allowance(Rate(per_second=0.01)), asyncio.get_running_loop()
    await account.turn("a message")
    began = loop.time()
    with pytest.raises(RateLimited) as late:
        await account.turn("a message", patience=SHORT)
    assert loop.time() - began >= SHORT.total_seconds()
    assert late.value.retry_after is not None
    assert 90 < late.value.retry_after.total_seconds() <= 100


async def test_after_a_refusal_there_is_no_burst() -> None:
    clock = Time()
    account = Allowance(Rate(per_second=1, burst=5), clock=clock)
    account.close(timedelta(seconds=10))
    clock.now += 12
    await account.turn("a message")
    await account.turn("a message")
    given = asyncio.create_task(account.turn("a message"))
    await asyncio.sleep(0)
    assert not given.done()
    given.cancel()
