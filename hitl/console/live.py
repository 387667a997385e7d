"""Telling browsers that what they show has changed: one watcher for each thing that is looked at, however many look.

An event carries no word of what changed: the browser fetches its page again, as the person who is signed in there.
A watcher ends with its last listener.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from hitl.console.ports import Unavailable

Look = Callable[[], Awaitable[str]]
"""Something that is another text whenever what people see is another. Raises `Unavailable`."""

_EVERY_S: Final = 2.0
_BEAT_S: Final = 15.0
_LASTS_S: Final = 600.0
"""Then the browser asks anew, and is asked who it is."""
_MOST_THINGS: Final = 100
_MOST_LISTENERS: Final = 1000
_MOST_OF_ONE: Final = 20
"""Listeners of one person: so many pages are open at once, and nobody takes the room of all."""
_log = structlog.get_logger("banksman.console")


class TooMany(Exception):
    """No more are told; the page is complete without it, and can be reloaded."""


@dataclass
class _Watcher:
    """One thing that is looked at."""

    task: asyncio.Task[None] | None = None
    mark: str | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    listeners: int = 0


class Live:
    """The watchers of this process.

    Args:
        every: Seconds between two looks at one thing.
        lasts: Seconds until a listener has to ask anew.
    """

    def __init__(self, *, every: float = _EVERY_S, lasts: float = _LASTS_S) -> None:
        self._every = every
        self._lasts = lasts
        self._watchers: dict[str, _Watcher] = {}
        self._people: Counter[str] = Counter()

    async def follow(self, thing: str, look: Look, *, person: str) -> AsyncGenerator[bytes]:
        """Server-sent events: one at once, so that nothing is missed that changed since the page was made.

        Args:
            thing: What is looked at; all who name the same share one watcher.
            look: How it is looked at.
            person: Who looks.

        Raises:
            TooMany: So many are told already.
        """
        watcher = self._joined(thing, look, person)
        try:
            async with asyncio.timeout(self._lasts):
                await watcher.looked.wait()  # whatever changes from here on is told
                while True:
                    changed = watcher.changed
                    yield f"event: look\nid: {watcher.mark or ''}\ndata:\n\n".encode()
                    while not await _within(changed, _BEAT_S):
                        yield b": still here\n\n"
        except TimeoutError:
            return
        finally:
            self._left(thing, watcher, person)

    def has_room(self, thing: str, person: str) -> bool:
        """Whether this person can be told of one more."""
        if self._people.total() >= _MOST_LISTENERS or self._people[person] >= _MOST_OF_ONE:
            return False
        return thing in self._watchers or len(self._watchers) < _MOST_THINGS

    def _joined(self, thing: str, look: Look, person: str) -> _Watcher:
        if not self.has_room(thing, person):
            raise TooMany(thing)
        watcher = self._watchers.setdefault(thing, _Watcher())
        watcher.listeners += 1
        self._people[person] += 1
        if watcher.task is None:
            watcher.task = asyncio.create_task(self._watch(watcher, look), name=f"watch {thing[:80]}")
        return watcher

    def _left(self, thing: str, watcher: _Watcher, person: str) -> None:
        watcher.listeners -= 1
        self._people[person] -= 1
        if watcher.listeners == 0 and watcher.task is not None:
            watcher.task.cancel()
            self._watchers.pop(thing, None)

    async def _watch(self, watcher: _Watcher, look: Look) -> None:
        while True:
            try:
                mark = hashlib.sha256((await look()).encode()).hexdigest()[:16]
            except Unavailable:  # the page says so to whoever reloads it
                mark = watcher.mark
            except Exception:  # noqa: BLE001 - a look that breaks must not end the watching
                _log.exception("what is looked at could not be looked at")
                mark = watcher.mark
            if mark != watcher.mark:
                told = watcher.mark is not None
                watcher.mark = mark
                if told:
                    watcher.changed.set()
                    watcher.changed = asyncio.Event()
            watcher.looked.set()
            await asyncio.sleep(self._every)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether it happened in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
