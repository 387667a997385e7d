"""Telling browsers of changes: one look for all who look, ended with the last of them."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from hitl.console import live as module
from hitl.console.live import Live, TooMany
from hitl.console.ports import Unavailable
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Thing:
    """What is looked at."""

    def __init__(self) -> None:
        self.state: str | Exception = "first"
        self.looks = 0

    async def look(self) -> str:
        self.looks += 1
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    async def looked(self) -> None:
        """Until it was looked at once more, from now on."""
        after = self.looks + 2

        async def seen() -> bool:
            return self.looks >= after

        await eventually(seen)


async def heard(stream: AsyncGenerator[bytes]) -> bytes:
    async with asyncio.timeout(10):
        return await anext(stream)


async def test_all_who_look_at_one_thing_share_one_look_at_it() -> None:
    thing, live = Thing(), Live(every=0.01)
    streams = [live.follow("/", thing.look, person="alice") for _ in range(20)]
    for one in streams:
        assert (await heard(one)).startswith(b"event: look\n")
    await thing.looked()
    waiting = [asyncio.create_task(heard(one)) for one in streams]
    looks = thing.looks
    await asyncio.sleep(0)
    assert thing.looks - looks <= 1
    assert len(live._watchers) == 1
    thing.state = "second"
    events = await asyncio.gather(*waiting)
    assert len(set(events)) == 1
    for one in streams:
        await one.aclose()
    assert live._watchers == {}


async def test_what_cannot_be_looked_at_for_a_while_is_watched_on() -> None:
    thing, live = Thing(), Live(every=0.01)
    stream = live.follow("/", thing.look, person="alice")
    await heard(stream)
    await thing.looked()
    for broken in (Unavailable("not now"), RuntimeError("a bug")):
        thing.state = broken
        await thing.looked()
    next_one = asyncio.create_task(heard(stream))
    thing.state = "second"
    assert (await next_one).startswith(b"event: look\n")
    await stream.aclose()


async def test_a_listener_asks_anew_in_time_and_so_many_are_told_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    thing, live = Thing(), Live(every=0.01, lasts=0.05)
    assert [one async for one in live.follow("/", thing.look, person="alice")]
    assert live._watchers == {}
    monkeypatch.setattr(module, "_MOST_THINGS", 1)
    first = live.follow("/", thing.look, person="alice")
    await heard(first)
    with pytest.raises(TooMany):
        await heard(live.follow("/decided", thing.look, person="alice"))
    await first.aclose()


async def test_nobody_takes_the_room_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    thing, live = Thing(), Live(every=0.01)
    monkeypatch.setattr(module, "_MOST_OF_ONE", 3)
    streams = [live.follow(f"/approval?{number}", thing.look, person="mallory") for number in range(3)]
    for one in streams:
        await heard(one)
    with pytest.raises(TooMany):
        await heard(live.follow("/", thing.look, person="mallory"))
    alices = live.follow("/", thing.look, person="alice")
    assert (await heard(alices)).startswith(b"event: look\n")
    await streams[0].aclose()
    assert live.has_room("/", "mallory")
    for one in (*streams[1:], alices):
        await one.aclose()
    assert (live._watchers, live._people.total()) == ({}, 0)


async def test_only_what_changes_is_followed(console: Console) -> None:
    async with console.visit("alice") as alice:
        for path in ("/nowhere", "/goals/start", "/approval", "", "/static/live.js"):
            assert (await alice.get(f"/live?page_path={path}")).status_code == 404
        assert (await alice.get("/live?page_path=/goals&state=' OR ''='")).status_code == 400
        assert (await alice.get(f"/live?page_path=/approval&id={'x' * 3000}")).status_code == 400
