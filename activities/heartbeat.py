"""Beats for every step that has a heartbeat timeout, so that no step needs to.

A beat tells the server that the worker lives (a killed one is noticed after one timeout, and the step goes to another)
and brings a cancellation back. The SDK sends at most one beat in 0.8 of the timeout, or in the worker's own longest
interval, and keeps the newest of those in between, so a third of the timeout is often enough for one to be at hand each
time; a worker whose steps must hear of a cancellation sooner asks for more.

A beat replaces the step's heartbeat details on the server. The details that the step gave last, or found from the
attempt before, are therefore sent again with every beat: what a step wrote down to go on from is never lost.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from activities.guard.current_attempt import found_attempt

_BEATS_PER_TIMEOUT: Final = 3


class HeartbeatInterceptor(Interceptor):
    """Beats in the background while a step runs. List it after the guard: what is refused needs no beat.

    Args:
        at_least_every: However long a step's heartbeat timeout is.
    """

    def __init__(self, at_least_every: timedelta = timedelta.max) -> None:
        self._at_least_every = at_least_every

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        """Called by the worker for every execution."""
        return _Inbound(next, self._at_least_every)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, at_least_every: timedelta) -> None:  # noqa: A002 - the SDK's
        super().__init__(next)
        self._at_least_every = at_least_every

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._beats = _Outbound(outbound)
        super().init(self._beats)

    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        info = activity.info()
        if info.is_local or info.heartbeat_timeout is None:
            return await super().execute_activity(input)
        self._beats.details = tuple(info.heartbeat_details)
        every = min(info.heartbeat_timeout / _BEATS_PER_TIMEOUT, self._at_least_every)
        beating = asyncio.create_task(self._beat(every))
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating

    async def _beat(self, every: timedelta) -> None:
        while True:
            await asyncio.sleep(every.total_seconds())
            self._beats.again()


class _Outbound(ActivityOutboundInterceptor):
    """Remembers what the step said last."""

    details: Sequence[object] = ()

    def heartbeat(self, *details: object) -> None:
        self.details = details
        self.again()

    def again(self) -> None:
        """Say it again."""
        if (attempt := found_attempt()) is not None:
            attempt.beats()
        super().heartbeat(*self.details)
