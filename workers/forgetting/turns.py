"""Many things of one kind, some at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_AT_ONCE: Final = 10


async def each(do: Callable[[T], Awaitable[R]], those: Iterable[T]) -> list[tuple[T, R]]:
    """Do it for each, in order of `those`; the first error ends what is under way, and is raised as it is."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one_of(one: T) -> tuple[T, R]:
        async with turns:
            return one, await do(one)

    tasks = [asyncio.create_task(one_of(one)) for one in those]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
