"""Whether an attempt is the current one: the clocks, and what is made of the server's word."""

import asyncio
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.guard.current_attempt import CurrentAttempt, Moment, NotCurrent, current_attempt
from connectors.errors import Unavailable
from tests.activities.guard.attempts import Waited

STARTED = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
MINUTES, BEAT = timedelta(minutes=5), timedelta(seconds=6)


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.now = Moment(1000.0, STARTED.timestamp())

    def __call__(self) -> Moment:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """As when a process is stopped: both go on."""
        self.now = Moment(self.now.monotonic + seconds, self.now.wall + seconds)

    def sleep(self, seconds: float) -> None:
        """As when the machine does: only one of them goes on."""
        self.now = Moment(self.now.monotonic, self.now.wall + seconds)

    def set_back(self, seconds: float) -> None:
        self.now = Moment(self.now.monotonic, self.now.wall - seconds)


def info(**changes: object) -> activity.Info:
    given: dict[str, object] = {
        "started_time": STARTED,
        "start_to_close_timeout": MINUTES,
        "heartbeat_timeout": BEAT,
        "activity_id": "step/1",
    }
    return dataclasses.replace(ActivityEnvironment.default_info(), **(given | changes))  # pyright: ignore[reportArgumentType] - any field


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_one_that_is_waited_for_goes_on(clock: Clock) -> None:
    attempt = CurrentAttempt(info(), Waited(), clock=clock)
    await attempt.require()
    clock.pass_by(5.9)
    await attempt.require()
    assert not attempt.refused


@pytest.mark.parametrize("passes", [Clock.pass_by, Clock.sleep])
async def test_one_that_slept_through_its_heartbeats_is_over(
    clock: Clock, passes: Callable[[Clock, float], None]
) -> None:
    server = Waited()
    attempt = CurrentAttempt(info(), server, clock=clock)
    passes(clock, 6)
    with pytest.raises(NotCurrent, match="slept through its heartbeats"):
        await attempt.require()
    assert server.asked == 0


async def test_a_heartbeat_that_comes_too_late_saves_nothing(clock: Clock) -> None:
    """After a process was stopped its beats go on before anything else does."""
    attempt = CurrentAttempt(info(), Waited(), clock=clock)
    for _ in range(10):
        clock.pass_by(2)
        attempt.beats()
    await attempt.require()
    clock.pass_by(6)
    attempt.beats()
    clock.pass_by(1)
    with pytest.raises(NotCurrent):
        await attempt.require()


@pytest.mark.parametrize("passes", [Clock.pass_by, Clock.sleep])
async def test_one_whose_time_is_over_is_over(clock: Clock, passes: Callable[[Clock, float], None]) -> None:
    attempt = CurrentAttempt(info(heartbeat_timeout=None), Waited(), clock=clock)
    passes(clock, 299)
    await attempt.require()
    passes(clock, 1)
    with pytest.raises(NotCurrent, match="300 s of this attempt"):
        await attempt.require()


async def test_what_lay_in_the_worker_before_the_guard_saw_it_counts_from_its_start(clock: Clock) -> None:
    clock.pass_by(301)
    attempt = CurrentAttempt(info(heartbeat_timeout=None), Waited(), clock=clock)
    with pytest.raises(NotCurrent):
        await attempt.require()


async def test_a_clock_that_is_set_back_wins_no_time(clock: Clock) -> None:
    attempt = CurrentAttempt(info(heartbeat_timeout=None), Waited(), clock=clock)
    clock.set_back(3600)
    clock.pass_by(300)
    with pytest.raises(NotCurrent):
        await attempt.require()


async def test_an_answer_that_took_long_is_asked_for_again(clock: Clock) -> None:
    """The process was stopped after the server had answered: that answer is of then, and not of now."""

    class Stopped(Waited):
        async def require(self, info: activity.Info) -> None:
            await super().require(info)
            if self.asked == 1:
                clock.pass_by(4)
                self.until = 1

    attempt = CurrentAttempt(info(), Stopped(), clock=clock)
    with pytest.raises(NotCurrent, match="nobody waits"):
        await attempt.require()


async def test_what_cannot_be_told_is_not_done(clock: Clock) -> None:
    class Silent:
        async def require(self, info: activity.Info) -> None:
            raise Unavailable("Temporal cannot be asked")

    attempt = CurrentAttempt(info(), Silent(), clock=clock)
    with pytest.raises(Unavailable) as caught:
        await attempt.require()
    assert not isinstance(caught.value, NotCurrent)
    assert not attempt.refused


async def test_a_step_that_is_being_cancelled_waits_for_that(clock: Clock) -> None:
    attempt = CurrentAttempt(info(), Waited(until=0, ending=True), clock=clock)
    environment, beats = ActivityEnvironment(), list[object]()
    environment.on_heartbeat = lambda *details: beats.append(details)
    refused = asyncio.Event()

    async def ends() -> None:
        with pytest.raises(NotCurrent):
            await attempt.require()
        refused.set()
        await attempt.settle()

    running = asyncio.create_task(environment.run(ends))
    await refused.wait()
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert beats, "the server is asked for what it has to say"


async def test_a_step_that_nobody_cancels_is_not_kept_waiting(clock: Clock) -> None:
    attempt = CurrentAttempt(info(), Waited(until=0), clock=clock)
    with pytest.raises(NotCurrent):
        await attempt.require()
    async with asyncio.timeout(1):
        await attempt.settle()


def test_without_its_guard_a_destructive_step_has_no_attempt() -> None:
    with pytest.raises(RuntimeError, match="without its guard"):
        current_attempt()
