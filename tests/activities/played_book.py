"""A book in memory, for what steps reserve and spend."""

import asyncio
from collections.abc import Callable

from connectors.errors import Unavailable


class PlayedBook:
    """Pages by check-and-set in memory: whoever comes second reads what the first wrote. Some writes lose their answer.

    Attributes:
        loses: Every so many writes are done, and their answer is lost.
    """

    def __init__(self, *, loses: int = 0) -> None:
        self.pages: dict[str, str] = {}
        self.writes = self.writes_of_days = 0
        self.loses = loses

    async def change(self, path: str, change: Callable[[str | None], str]) -> None:
        while True:
            seen = self.pages.get(path)
            await asyncio.sleep(0)
            wanted = change(seen)
            await asyncio.sleep(0)
            if self.pages.get(path) != seen:
                continue
            self.pages[path] = wanted
            self.writes += 1
            self.writes_of_days += "/day-" in path
            if self.loses and self.writes % self.loses == 0:
                raise Unavailable("the answer was lost")
            return
