"""How sessions begin and end: tried again, of others, full, lost, and left by goals that are gone."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable

import pytest
from temporalio import activity
from temporalio.exceptions import CancelledError

from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    LIST_FILES,
    MOST_CALLS,
    OPEN_SESSION,
    READ_TEXT,
    RUN_PROGRAM,
    TRIES,
    OpenSessionRequest,
    RunProgramRequest,
)
from activities.sandbox.sessions import Held, Owner
from connectors.errors import InvalidRequest
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_RUN
from sandbox.docker.session import DockerSession
from sandbox.errors import CapacityExhausted, SandboxUnavailable
from tests.sandbox.tools.working import REPOSITORY, Work

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]
COUNT = ("python3", "play.py", "count")


async def eventually(there: Callable[[], Awaitable[bool]], what: str) -> None:
    ends = time.monotonic() + 20
    while not await there():  # the engine and the clock tell of it, and no event does
        assert time.monotonic() < ends, what
        await asyncio.sleep(0.02)


def held(work: Work, session: str) -> Held:
    found = work.held.find(session)
    assert isinstance(found, Held)
    return found


def begun(one: Held) -> Callable[[], Awaitable[bool]]:
    async def there() -> bool:
        return bool(one.calls)

    return there


async def running(work: Work, one: Held) -> bool:
    engine = work.sandbox.containers.engine
    there = await engine.call(engine.api.containers, all=False, filters={"label": f"{LABEL_RUN}={one.place.run_id}"})
    return bool(there)


async def test_another_try_of_opening_finds_the_session_that_is_there(work: Work) -> None:
    first = await work.open(call="open-1")
    assert await work.open(call="open-1") == first
    other = await work.open(call="open-2")
    assert other != first
    for one in (first, other):
        assert not (await work.ask(CLOSE_SESSION, one)).lost


async def test_another_try_of_a_call_gets_the_first_ones_answer_and_runs_nothing_again(work: Work) -> None:
    session = await work.open()
    answers = await asyncio.gather(*(work.ask(RUN_PROGRAM, session, call="a", command=COUNT) for _ in range(3)))
    assert [one.stdout for one in answers] == ["x\n"] * 3
    assert (await work.ask(RUN_PROGRAM, session, call="b", command=COUNT)).stdout == "xx\n"
    await work.ask(CLOSE_SESSION, session)


async def test_a_closed_session_is_told_as_lost_and_may_be_closed_again(work: Work) -> None:
    session = await work.open()
    one = held(work, session)
    assert await running(work, one)
    assert (await work.ask(CLOSE_SESSION, session)).refused is None
    assert not await running(work, one)
    gone = await work.ask(LIST_FILES, session)
    assert gone.lost
    assert gone.refused == "the session is lost: its goal closed it; open another and begin again"
    assert not (await work.ask(CLOSE_SESSION, session)).lost


async def test_a_call_that_another_worker_gets_is_tried_elsewhere_and_told_as_lost_at_the_last_try(work: Work) -> None:
    session = f"f00d{await work.open(call='elsewhere')}"
    with pytest.raises(SandboxUnavailable, match="another worker holds this session"):
        await work.ask(READ_TEXT, session, path="README.md", attempt=TRIES - 1)
    told = await work.ask(READ_TEXT, session, path="README.md", attempt=TRIES)
    assert told.lost
    assert told.refused is not None
    assert "its worker ended, or is not reached" in told.refused
    await work.ask(CLOSE_SESSION, session.removeprefix("f00d"))


async def test_a_session_is_of_one_run_of_one_goal_and_of_one_repository(work: Work) -> None:
    theirs = await work.open(run="run-2")
    read = await work.ask(READ_TEXT, theirs, path="README.md")
    assert read.refused == f"the session {theirs!r} is another goal's"
    assert (await work.ask(CLOSE_SESSION, theirs)).refused == read.refused
    assert isinstance(work.held.find(theirs), Held)
    own = await work.open()
    other = await work.ask(READ_TEXT, own, path="README.md", repository="acme/payroll")
    assert other.refused == f"the session is on {REPOSITORY!r}, not on 'acme/payroll'"
    await work.ask(CLOSE_SESSION, own)
    await work.held.close(held(work, theirs), "the test ends")


async def test_a_container_that_is_killed_is_a_session_that_is_lost(work: Work) -> None:
    session = await work.open()
    one = held(work, session)
    engine = work.sandbox.containers.engine
    assert isinstance(one.session, DockerSession)
    await engine.call(engine.api.kill, one.session.container.id)
    ran = await work.ask(RUN_PROGRAM, session, command=("true",))
    assert (ran.lost, ran.exit_code) == (True, None)
    assert ran.refused is not None
    assert ran.refused.startswith("the session is lost: ")
    assert (await work.ask(READ_TEXT, session, path="README.md")).lost


async def test_memory_is_bounded_and_what_takes_more_is_told(work: Work) -> None:
    session = await work.open()
    ate = await work.ask(RUN_PROGRAM, session, command=("python3", "play.py", "eat"))
    assert (ate.ended, ate.lost) == ("out_of_memory", False)
    after = await work.ask(RUN_PROGRAM, session, command=("true",))
    assert after.exit_code == 0
    await work.ask(CLOSE_SESSION, session)


async def test_without_its_worker_a_session_that_waits_ends_by_itself(work: Work) -> None:
    session = await work.open()
    one = held(work, session)
    assert isinstance(one.session, DockerSession)
    await one.session.container.attachment.close()  # as the kernel does for a process that is killed

    async def ended() -> bool:
        return not await running(work, one)

    await eventually(ended, "the container has ended")
    await work.held.close(one, "the test ends")


async def test_a_session_whose_goal_runs_no_more_is_removed(work: Work) -> None:
    session = await work.open(run="run-3")
    one = held(work, session)
    work.ended.owners.add(one.owner)

    async def gone() -> bool:
        return isinstance(work.held.find(session), str) and not await running(work, one)

    await eventually(gone, "the session is gone")
    assert work.held.find(session) == "its goal runs no more"
    work.ended.owners.clear()


async def test_a_session_ends_when_its_time_is_over(work: Work) -> None:
    session = await work.open()
    short = dataclasses.replace(held(work, session), name="short")

    async def make() -> Held:
        return short

    await work.held.open("short", make, seconds=0.05)

    async def gone() -> bool:
        return short.session.lost

    await eventually(gone, "its time is over")
    assert work.held.find("short") == "its 0 seconds were over"
    assert (await work.ask(LIST_FILES, session)).lost


async def test_no_more_are_open_than_may_be(work: Work) -> None:
    sessions = [await work.open() for _ in range(4)]
    with pytest.raises(CapacityExhausted, match="4 sessions are open here"):
        await work.open()
    for one in sessions:
        await work.ask(CLOSE_SESSION, one)


async def test_a_session_takes_so_many_calls(work: Work) -> None:
    session = await work.open()
    held(work, session).count = MOST_CALLS
    refused = await work.ask(LIST_FILES, session)
    assert refused.refused == f"a session takes {MOST_CALLS} calls, and these are made: open another"
    await work.ask(CLOSE_SESSION, session)


async def test_a_cancelled_goal_ends_its_session_with_what_runs_in_it(work: Work) -> None:
    session = await work.open()
    one = held(work, session)
    environment = work.environment()
    request = RunProgramRequest(session=session, repository=REPOSITORY, command=("sleep", "1000"))
    call = asyncio.ensure_future(environment.run(work.steps.run_program, request))
    await eventually(begun(one), "the command has begun")
    environment.cancel(cancellation_details=activity.ActivityCancellationDetails(cancel_requested=True))
    with pytest.raises((asyncio.CancelledError, CancelledError)):
        await call
    assert not await running(work, one)
    assert work.held.find(session) == "its goal was cancelled"


async def test_a_try_that_ends_because_its_worker_is_slow_leaves_the_session(work: Work) -> None:
    session = await work.open()
    environment = work.environment(call="slow")
    request = RunProgramRequest(session=session, repository=REPOSITORY, command=COUNT)
    call = asyncio.ensure_future(environment.run(work.steps.run_program, request))
    await eventually(begun(held(work, session)), "the command has begun")
    environment.cancel(cancellation_details=activity.ActivityCancellationDetails(timed_out=True))
    with pytest.raises((asyncio.CancelledError, CancelledError)):
        await call
    assert (await work.ask(RUN_PROGRAM, session, call="slow", attempt=2, command=COUNT)).stdout == "x\n"
    await work.ask(CLOSE_SESSION, session)


async def test_a_commit_that_is_not_in_its_pack_opens_nothing(work: Work) -> None:
    wrong = OpenSessionRequest(source=work.source.model_copy(update={"commit": "d" * 40}))
    with pytest.raises(InvalidRequest, match="could not be checked out"):
        await work.environment().run(work.steps.open_session, wrong)


async def test_the_container_is_as_shut_as_that_of_any_command(work: Work) -> None:
    session = await work.open()
    engine: Engine = work.sandbox.containers.engine
    one = held(work, session)
    assert isinstance(one.session, DockerSession)
    inspected = str(await engine.call(engine.api.inspect_container, one.session.container.id))
    for word in ("'NetworkMode': 'none'", "'ReadonlyRootfs': True", "'CapDrop': ['ALL']", "no-new-privileges:true"):
        assert word in inspected
    assert OPEN_SESSION.credential is None
    assert one.owner == Owner("test", "run-1")
    await work.ask(CLOSE_SESSION, session)


async def test_a_session_that_nobody_can_watch_is_closed(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Owner) -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr(work.ended, "runs", broken)
    session = await work.open()
    one = held(work, session)

    async def gone() -> bool:
        return one.session.lost and work.held.find(session) == "it could not be watched"

    await eventually(gone, "the session is closed")
    assert one.watch is not None
    with pytest.raises(RuntimeError, match="a bug"):
        await one.watch
