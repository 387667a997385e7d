"""Which tables a role locks while it works, looked at again and again by somebody else's connection.

What is locked for a shorter time than lies between two looks may be missed: what is told was seen, and is no proof that
there was nothing else.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from connectors.errors import ConnectorError
from connectors.postgres.session import Database

EVERY: Final = 0.05
"""Seconds between two looks."""
MODES: Final = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""From the weakest to the strongest."""
_MOST: Final = 500
_LOOK: Final = """
SELECT format('%I.%I', n.nspname, c.relname), l.mode FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.usename = :role AND l.pid <> pg_backend_pid() AND l.granted AND l.locktype = 'relation'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relkind IN ('r', 'p', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


@dataclass(frozen=True)
class SeenLock:
    """What was seen of one table.

    Attributes:
        mode: The strongest, as `pg_locks` names it.
        seconds: How long that one was seen.
    """

    mode: str
    seconds: float


@dataclass
class Locks:
    """What was seen so far.

    Attributes:
        looks: How many looks there were.
        complete: Whether the looks went on to the end.
    """

    looks: int = 0
    complete: bool = True
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    def note(self, held: Mapping[str, int], seconds: float) -> None:
        """One look: the strength by table, and how long ago the look before was."""
        self.looks += 1
        for table, strength in held.items():
            before, since = self._seen.get(table, (-1, 0.0))
            if table not in self._seen and len(self._seen) >= _MOST:
                continue
            if strength > before:
                self._seen[table] = (strength, seconds)
            elif strength == before:
                self._seen[table] = (before, since + seconds)

    def seen(self) -> Mapping[str, SeenLock]:
        """By table, the strongest and longest first."""
        ordered = sorted(self._seen.items(), key=lambda one: (-one[1][0], -one[1][1], one[0]))
        return {table: SeenLock(MODES[strength], round(seconds, 2)) for table, (strength, seconds) in ordered}


@asynccontextmanager
async def watched_locks(database: Database, role: str) -> AsyncGenerator[Locks]:
    """Look for as long as the block runs.

    Args:
        database: A connection that is used for nothing else meanwhile.
        role: Whose locks.
    """
    locks = Locks()
    looking = asyncio.create_task(_look_again(database, role, locks))
    try:
        yield locks
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _look_again(database: Database, role: str, locks: Locks) -> None:
    before = time.monotonic()
    while True:
        look = asyncio.create_task(database.run(_LOOK, role=role))
        try:
            rows = await asyncio.shield(look)
        except asyncio.CancelledError:
            await asyncio.gather(look, return_exceptions=True)  # the connection is not closed under it
            raise
        except ConnectorError:
            locks.complete = False
            return
        held: dict[str, int] = {}
        for table, mode in rows:
            if mode in MODES:
                held[str(table)] = max(held.get(str(table), -1), MODES.index(mode))
        now = time.monotonic()
        locks.note(held, now - before)
        before = now
        await asyncio.sleep(EVERY)
