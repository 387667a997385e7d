"""The relay with fixed targets, with real sockets: one run cannot use it up, nor what lies behind it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox.egress import forward


class Behind:
    """What the relay leads to: it says a letter to each who comes, and counts them."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.empty = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        self.empty.clear()
        with contextlib.suppress(ConnectionError):
            writer.write(b"x")
            await reader.read()
        await ended(writer)
        self.now -= 1
        if not self.now:
            self.empty.set()


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest_asyncio.fixture
async def port(behind: Behind) -> AsyncIterator[int]:
    """Of the relay."""
    target = await asyncio.start_server(behind.serve, "127.0.0.1", 0)
    served = forward._leading_to(
        "127.0.0.1", target.sockets[0].getsockname()[1], asyncio.Semaphore(forward._MOST), Counter()
    )
    relay = await asyncio.start_server(served, "127.0.0.1", 0)
    async with target, relay:
        yield relay.sockets[0].getsockname()[1]


async def through(port: int, run: str) -> asyncio.StreamWriter | None:
    """A connection from the address of a run, when it led to the target."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(run, 0))
    with contextlib.suppress(ConnectionError):
        if await reader.read(1) == b"x":
            return writer
    await ended(writer)
    return None


async def test_one_run_leaves_room_for_others(port: int, behind: Behind) -> None:
    many = [await through(port, "127.0.0.2") for _ in range(60)]
    led = [one for one in many if one is not None]
    assert len(led) == forward._MOST_OF_ONE == behind.most
    other = await through(port, "127.0.0.3")
    assert other is not None
    for one in (*led, other):
        await ended(one)
    await asyncio.wait_for(behind.empty.wait(), 10)


async def test_what_a_run_gives_back_it_may_have_again(port: int, behind: Behind) -> None:
    for _ in range(3):
        led: list[asyncio.StreamWriter] = []
        async with asyncio.timeout(10):
            while len(led) < forward._MOST_OF_ONE:
                if (one := await through(port, "127.0.0.2")) is not None:
                    led.append(one)
        for one in led:
            await ended(one)
    await asyncio.wait_for(behind.empty.wait(), 10)
