"""Whatever becomes of requests, answers and workers: at the end there is exactly one, the one that is told."""

import asyncio
import itertools
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.creation import Created, Creation, create_once, mark
from connectors.errors import (
    AuthDenied,
    Conflict,
    InvalidRequest,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from connectors.http import Api, Call, HeaderAuth, Session
from tests.connectors.happening import EVENTS, happening, until_it_ends
from tests.connectors.serving import ServedTwin, served_twin
from tests.connectors.twins.boxes import CREATE_BOX, DIALECT, KEY_CANARY, LIST_BOXES, Box, BoxesTwin, NewBox

T = TypeVar("T")
SHOWS_WITHIN: Final = 5.0
_numbers = itertools.count()


@dataclass
class Trial:
    """A step that is tried until it ends, with what happens at each of its requests."""

    twin: BoxesTwin
    served: ServedTwin
    events: Iterator[str]
    mark: str

    async def run(self) -> Created[Box]:
        with happening(self.served, self.events):
            return await until_it_ends(self._attempt)

    async def _attempt(self, number: int) -> Created[Box]:
        api = Api(DIALECT, base_url=self.served.url)
        async with api.open(HeaderAuth({"Authorization": f"Bearer {KEY_CANARY}"})) as session:
            return await create_once(self._creation(session), self.mark, again=number > 1, sleep=self._sleep)

    def _creation(self, session: Session) -> Creation[Box]:
        async def find(label: str) -> Sequence[Box]:
            asked = Call(LIST_BOXES, "the boxes", query={"label": label, "limit": "9"})
            return (await session.ask(asked)).boxes

        async def create(label: str) -> Box:
            return await session.ask(Call(CREATE_BOX, "a box", body=NewBox(label=label)))

        within = timedelta(seconds=SHOWS_WITHIN)
        return Creation(what="a box", find=find, create=create, id_of=lambda one: one.id, shows_within=within)

    async def _sleep(self, seconds: float) -> None:
        self.served.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()

    def made(self) -> list[str]:
        return [one.id for one in self.twin.kept.values() if one.label == self.mark]


@contextmanager
def boxes(shows_after: float = 0.0) -> Generator[tuple[BoxesTwin, ServedTwin]]:
    twin = BoxesTwin()
    twin.shows_after = shows_after
    with served_twin(twin.application()) as served:
        yield twin, served


@pytest.fixture(scope="module", params=[0.0, SHOWS_WITHIN - 1], ids=["at-once", "late"])
def running(request: pytest.FixtureRequest) -> Iterator[tuple[BoxesTwin, ServedTwin]]:
    with boxes(request.param) as found:
        yield found


@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(st.sampled_from(EVENTS), max_size=9))
def test_there_is_exactly_one_whatever_happens(running: tuple[BoxesTwin, ServedTwin], events: list[str]) -> None:
    trial = Trial(*running, iter(events), mark(f"test/{next(_numbers)}"))
    created = asyncio.run(trial.run())
    assert trial.made() == [created.resource.id]


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("point", [0, 1, 2])
def test_each_event_at_each_point(running: tuple[BoxesTwin, ServedTwin], event: str, point: int) -> None:
    trial = Trial(*running, iter([*["ok"] * point, event]), mark(f"test/{next(_numbers)}"))
    created = asyncio.run(trial.run())
    assert trial.made() == [created.resource.id]
    assert created.adopted is (point == 1 and event in {"drop_after_effect", "killed_after"})


def of(
    found: Sequence[Sequence[str] | Exception],
    made: str | Exception = "new",
    *,
    again: bool = False,
    every: timedelta = timedelta(seconds=1),
) -> tuple[Created[str] | Exception, list[float]]:
    """How a creation ends whose looks and whose create are answered so, and how long it waited."""
    looks, waits = iter(found), list[float]()

    async def find(_: str) -> Sequence[str]:
        return _said(next(looks))

    async def create(_: str) -> str:
        return _said(made)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    creation = Creation(
        what="a box 'a'", find=find, create=create, id_of=str, shows_within=timedelta(seconds=3), looks_every=every
    )
    try:
        return asyncio.run(create_once(creation, "m", again=again, sleep=sleep)), waits
    except Exception as error:  # noqa: BLE001 - how it ends is what is looked at
        return error, waits


def _said(answer: T | Exception) -> T:
    if isinstance(answer, Exception):
        raise answer
    return answer


def test_the_first_attempt_looks_once_and_later_ones_until_it_must_have_shown() -> None:
    assert of([[]]) == (Created("new", adopted=False), [])
    assert of([["old"]]) == (Created("old", adopted=True), [])
    assert of([[], [], [], []], again=True) == (Created("new", adopted=False), [1.0, 1.0, 1.0])
    assert of([[], [], ["old"]], again=True) == (Created("old", adopted=True), [1.0, 1.0])


def test_an_account_that_may_ask_seldom_is_asked_seldom_and_as_long() -> None:
    assert of([[], [], []], again=True, every=timedelta(seconds=2)) == (Created("new", adopted=False), [2.0, 2.0])


def test_after_a_doubt_it_is_looked_for_and_not_made_again() -> None:
    assert of([[], [], ["new"]], OutcomeUnknown("lost")) == (Created("new", adopted=True), [1.0])
    ended, waits = of([[], [], [], [], []], OutcomeUnknown("lost"))
    assert isinstance(ended, Unavailable)
    assert waits == [1.0, 1.0, 1.0]


def test_a_name_that_is_taken_is_adopted_only_where_it_is_marked() -> None:
    assert of([[], ["ours"]], Conflict("taken")) == (Created("ours", adopted=True), [])
    ended, _ = of([[], [], [], [], []], Conflict("taken"))
    assert isinstance(ended, Conflict)
    assert str(ended) == "taken"


@pytest.mark.parametrize("found", [[["a", "b"]], [[], ["a", "b"]]])
def test_several_are_left_to_a_person(found: list[list[str]]) -> None:
    ended, _ = of(found, OutcomeUnknown("lost"))
    assert isinstance(ended, Conflict)
    assert "end all but one of a, b" in str(ended)


@pytest.mark.parametrize("error", [AuthDenied("revoked"), InvalidRequest("no")])
def test_a_doubt_that_cannot_be_looked_at_stays_one(error: Exception) -> None:
    ended, _ = of([[], error], OutcomeUnknown("lost"))
    assert isinstance(ended, OutcomeUnknown)
    assert str(error) in str(ended)
    for passing in (Unavailable("later"), RateLimited("slower")):
        assert of([[], passing], OutcomeUnknown("lost"))[0] is passing


@pytest.mark.parametrize("error", [QuotaExhausted("none left"), InvalidRequest("no"), Unavailable("later")])
def test_an_error_without_doubt_ends_the_attempt(error: Exception) -> None:
    assert of([[]], error)[0] is error
    assert of([error])[0] is error


def test_a_mark_is_the_goals_own_and_fits_every_provider() -> None:
    marks = {mark("lease-gpu/a"), mark("lease-gpu/b"), mark("lease-gpu/a", "2"), mark("lease-gpu/a2")}
    assert len(marks) == 4
    assert mark("lease-gpu/a") in marks
    assert all(re.fullmatch(r"banksman-[0-9a-f]{16}", one) for one in marks)
