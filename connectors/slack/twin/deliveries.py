"""Takes envelopes to the app, lets each meet its fault, and sends events again."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import assert_never

from connectors.slack.twin.config import TwinConfig
from connectors.slack.twin.envelopes import (
    Answer,
    DisconnectInstead,
    Duplicate,
    Envelope,
    EnvelopeFault,
    EnvelopeLog,
    Lose,
    LoseAcknowledgement,
    RateLimitAfter,
    Sent,
)
from connectors.slack.twin.limits import Meter
from connectors.slack.twin.requests import Requests
from connectors.slack.twin.sockets import Sockets


@dataclass
class Deliveries:
    """Everything that goes to the app.

    Args:
        clock: Seconds since the epoch.
    """

    config: TwinConfig
    sockets: Sockets
    meter: Meter
    clock: Callable[[], float] = time.time
    log: EnvelopeLog = field(default_factory=EnvelopeLog)
    _running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def deliver(self, envelope: Envelope) -> Answer:
        """Send it and wait for its acknowledgement, at most the three seconds that an app has."""
        noted = Sent(id=envelope.id, kind=envelope.kind, at=self.clock(), attempt=envelope.attempt)
        self.log.sent.append(noted)
        fault = self.log.take(envelope.kind)
        noted.fault = fault.kind if fault else None
        began = time.monotonic()
        answer = await self._meet(fault, envelope)
        noted.ending, noted.seconds = answer.ending, time.monotonic() - began
        return answer

    async def _meet(self, fault: EnvelopeFault | None, envelope: Envelope) -> Answer:
        match fault:
            case None:
                return await self._carry(envelope)
            case Duplicate():
                return await self._carry(envelope, copies=2)
            case Lose():
                await asyncio.sleep(self.config.ack_seconds)
                return Answer("timed_out")
            case LoseAcknowledgement():
                await self._carry(envelope)
                return Answer("timed_out")
            case DisconnectInstead():
                await self.sockets.disconnect("refresh_requested")
                return Answer("unreachable")
            case RateLimitAfter():
                # Before it is sent: slack-bolt lets a listener go on up to 10 ms before its acknowledgement leaves.
                self.meter.plant(fault.method, seconds=fault.retry_after, times=fault.calls)
                return await self._carry(envelope)
            case _:
                assert_never(fault)

    async def _carry(self, envelope: Envelope, *, copies: int = 1) -> Answer:
        app = self.config.app
        if app.request_url is None:
            return await self.sockets.carry(envelope, seconds=self.config.ack_seconds, copies=copies)
        requests = Requests(app.request_url, app.signing_secret, self.clock)
        return await requests.carry(envelope, seconds=self.config.ack_seconds, copies=copies)

    def announce(self, envelope: Envelope) -> None:
        """Send an event, again and again until it is acknowledged, while people go on."""
        self.aside(self._announced(envelope))

    async def _announced(self, envelope: Envelope) -> None:
        answer = await self.deliver(envelope)
        for attempt, seconds in enumerate(self.config.event_retry_seconds, start=1):
            if answer.acknowledged:
                return
            await asyncio.sleep(seconds)
            reason = "timeout" if answer.ending == "timed_out" else "connection_failed"
            again = Envelope(envelope.kind, envelope.payload, attempt=attempt, reason=reason)
            answer = await self.deliver(again)

    def aside(self, work: Coroutine[object, object, None]) -> None:
        """Do something that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
