"""How much is written in a while: held by us before GitHub has to, and by the twin as GitHub holds it."""

import pytest

from connectors.errors import RateLimited
from connectors.github.checks import WantedCheck
from connectors.github.pace import HOUR, MINUTE, Pace
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.shop import Shop


class Clock:
    """Goes by when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_takes_eighty_and_what_may_be_left_out_leaves_room_before() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    for _ in range(48):
        pace.require("a check")
    assert not pace.has_room
    for _ in range(MINUTE - 48):
        pace.require("a check")
    with pytest.raises(RateLimited, match="80 writings in 60 seconds, and a check would be one more") as told:
        pace.require("a check")
    assert told.value.retry_after is not None
    assert told.value.retry_after.total_seconds() == 60
    clock.now = 61
    assert pace.has_room
    pace.require("a check")


def test_an_hour_takes_five_hundred_however_they_are_spread() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    for n in range(HOUR):
        clock.now = n * 7.0
        pace.require("a check")
    clock.now = HOUR * 7.0
    with pytest.raises(RateLimited, match="500 writings in 3600 seconds"):
        pace.require("a check")
    clock.now = 3601
    pace.require("a check")


def checked(shop: Shop, n: int) -> WantedCheck:
    return WantedCheck(name="n", head_sha=shop.main, key=f"job/{n}", status="queued", title="T", summary="S")


async def test_github_refuses_one_more_and_says_when_and_the_account_waits(make_twin: MakeTwin, shop: Shop) -> None:
    twin = make_twin(limits={"content_minute": 2})
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"checks": "write"}
    ) as session:
        for n in range(2):
            await session.checks.put(checked(shop, n), number=None)
        with pytest.raises(RateLimited) as told:
            await session.checks.put(checked(shop, 3), number=None)
        assert told.value.retry_after is not None
        assert 1 <= told.value.retry_after.total_seconds() <= 61
        asked = len(twin.recorder.lines())
        with pytest.raises(RateLimited, match="rate is used up"):
            await session.checks.put(checked(shop, 4), number=None)
        assert len(twin.recorder.lines()) == asked
