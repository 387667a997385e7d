"""Counts all of it now and then. What cannot be counted keeps its last number, and a metric says how old that is."""

import asyncio
import time
from collections.abc import Callable
from functools import cache
from typing import Final, Never, Protocol

import structlog
from prometheus_client import Gauge
from temporalio.service import RPCError

from hitl.gateway.counts.approvals import ApprovalFacts, WaitingCounts
from hitl.gateway.counts.ends import EndCounts
from hitl.gateway.counts.goals import GoalCounts
from hitl.gateway.counts.queues import QueueCounts
from hitl.gateway.leases import LeaseCounts
from hitl.gateway.server import Server
from observability import names

_EVERY_S: Final = 30.0
_log = structlog.get_logger("banksman.gateway")


class _Part(Protocol):
    async def count(self) -> None:
        """One look. Raises `RPCError` when the server cannot be reached."""
        ...


class Counts:
    """All that is counted.

    Args:
        server: Temporal.
        every: Seconds between two looks.
        clock: Seconds that only grow.
    """

    def __init__(self, server: Server, *, every: float = _EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = every, clock
        facts = ApprovalFacts(server)
        self.goals, self.approvals = GoalCounts(server), WaitingCounts(server, facts)
        self.ends, self.leases, self.queues = EndCounts(server, facts), LeaseCounts(server), QueueCounts(server)
        self._counted_at = clock()
        _age().set_function(lambda: self._clock() - self._counted_at)

    async def run(self) -> Never:
        """For as long as the process lives."""
        while True:
            await self.count()
            await asyncio.sleep(self._every)

    async def count(self) -> None:
        """One look at everything. What fails is logged and does not keep the rest from being counted."""
        parts: tuple[_Part, ...] = (self.goals, self.approvals, self.ends, self.leases, self.queues)
        if all([await self._counted(one) for one in parts]):
            self._counted_at = self._clock()

    async def _counted(self, part: _Part) -> bool:
        try:
            await part.count()
        except RPCError as error:
            _log.warning("not counted", part=type(part).__name__, why=error.message)
            return False
        return True


@cache
def _age() -> Gauge:
    # Made by the first gateway: a process that counts nothing must not look like one that cannot.
    return Gauge(names.METRIC_COUNTS_AGE, "Seconds since goals, approvals, leases and queues were all counted.")
