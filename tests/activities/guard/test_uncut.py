"""What cannot be undone is sent whole or not at all, whenever its step is cancelled."""

import asyncio

import pytest

from activities.guard.uncut import uncut
from activities.guard.withheld import LastLook


class Sending:
    """A request that stops before its last look, and after it was sent, until a test lets it go on."""

    def __init__(self) -> None:
        self.may_look, self.may_answer = asyncio.Event(), asyncio.Event()
        self.begun, self.sent = asyncio.Event(), asyncio.Event()
        self.looks = 0

    async def look(self) -> None:
        self.looks += 1

    async def send(self, last_look: LastLook) -> str:
        self.begun.set()
        await self.may_look.wait()
        await last_look()
        self.sent.set()
        await self.may_answer.wait()
        return "done"


async def test_what_nobody_cancels_is_looked_at_once_and_answered() -> None:
    sending = Sending()
    sending.may_look.set()
    sending.may_answer.set()
    assert (await uncut(sending.send, sending.look), sending.looks) == ("done", 1)


async def test_cancelled_before_its_last_look_nothing_is_sent() -> None:
    sending = Sending()
    step = asyncio.create_task(uncut(sending.send, sending.look))
    await sending.begun.wait()
    step.cancel()
    sending.may_look.set()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert (sending.sent.is_set(), sending.looks) == (False, 0)


async def test_cancelled_after_it_was_sent_its_answer_is_waited_for() -> None:
    sending = Sending()
    sending.may_look.set()
    step = asyncio.create_task(uncut(sending.send, sending.look))
    await sending.sent.wait()
    step.cancel()
    await asyncio.sleep(0)
    assert not step.done()
    sending.may_answer.set()
    assert await step == "done"


async def test_a_last_look_that_forbids_it_sends_nothing() -> None:
    async def forbid() -> None:
        raise PermissionError

    sending = Sending()
    sending.may_look.set()
    with pytest.raises(PermissionError):
        await uncut(sending.send, forbid)
    assert not sending.sent.is_set()
