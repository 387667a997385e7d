"""Of each provider: a key that is revoked half-way, and a clock a day off. One resource each, and the goal ends."""

import itertools
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.errors import AuthDenied, ConnectorError
from connectors.http import Call, Session
from connectors.http.api import Answered
from tests.activities.creating import PROVIDERS, Creating, shows_at_once
from tests.connectors.happening import Killed

_A_DAY: Final = 86_400.0
Then = Callable[[], None]


@pytest.fixture(params=PROVIDERS)
def creating(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Creating]:
    """What each provider makes for a goal."""
    shows_at_once(monkeypatch)
    with PROVIDERS[request.param](tmp_path) as made:
        yield made


@contextmanager
def killed_after(changes: int, then: Then = lambda: None) -> Generator[None]:
    """The worker dies after its so many-th request that changes something, and this happens."""
    exchange, left = Session.exchange, itertools.count(1)

    async def watched(self: Session, call: Call[Any]) -> Answered[Any]:
        answer = await exchange(self, call)
        if call.operation.method != "GET" and next(left) == changes:
            then()
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Session, "exchange", watched)
        yield


async def at_each_change(
    creating: Creating, then: Then, bad_day: Callable[[str], Awaitable[None]] | None = None
) -> None:
    """A goal for each request that changes something: its worker dies there, and another one goes on."""
    for point in itertools.count(1):
        goal, finished = f"goal-{point}", ""
        with killed_after(point, then), suppress(Killed):
            finished = await creating.attempt(goal, 1)
        if not finished:
            if bad_day is not None:
                await bad_day(goal)
            created = await creating.attempt(goal, 2)
            assert await creating.made(goal) == [created]
        else:
            assert point > 1, "nothing was changed, so that nothing was tried"
            return


async def test_a_key_that_is_revoked_half_way_is_told_and_with_another_one_the_goal_goes_on(creating: Creating) -> None:
    async def told(goal: str) -> None:
        for _ in range(2):
            with pytest.raises(AuthDenied, match=f"banksman/{creating.account.secret}"):
                await creating.attempt(goal, 2)
        creating.account.renew()

    await at_each_change(creating, creating.account.revoke, told)


@pytest.mark.parametrize("off", [_A_DAY, -_A_DAY], ids=["ahead", "behind"])
async def test_a_providers_clock_that_is_a_day_off_makes_no_second_and_loses_none(
    creating: Creating, off: float
) -> None:
    creating.account.set_off(off)
    await at_each_change(creating, lambda: None)


@contextmanager
def misread_at(creating: Creating, request: int) -> Generator[list[int]]:
    """The so many-th request is answered with 200, and with something else; tells how many there were."""
    exchange, asked = Session.exchange, list[int]()

    async def watched(self: Session, call: Call[Any]) -> Answered[Any]:
        asked.append(len(asked) + 1)
        if len(asked) == request:
            creating.twin.plant(kind="status", status=200, body={"something": ["else"]})
        return await exchange(self, call)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Session, "exchange", watched)
        yield asked


async def test_an_answer_that_does_not_fit_its_description_is_told_and_makes_no_second(creating: Creating) -> None:
    told = set[str]()
    for point in itertools.count(1):
        goal, finished = f"goal-{point}", ""
        with misread_at(creating, point) as asked:
            try:
                finished = await creating.attempt(goal, 1)
            except ConnectorError as error:
                told.add(type(error).__name__)
        created = finished or await creating.attempt(goal, 2)
        assert await creating.made(goal) == [created]
        if len(asked) < point:
            break
    assert told, "nothing of it was noticed"
