"""How far a step on a stack is: each resource in the log, the newest in the heartbeat, and signals to its goal."""

import asyncio
import contextlib
import time
from collections import deque
from datetime import UTC, datetime
from typing import Final

import structlog
from temporalio import activity
from temporalio.service import RPCError

from activities.pulumi.contracts import StackProgress
from connectors.pulumi.events import Metadata, ResourceEvent, Stage
from connectors.pulumi.progress import progress_line
from sandbox.pulumi.outcome import ResourceProgress

SIGNAL: Final = "stack_progress"
"""The name of the signal, with a `StackProgress`."""

_EVERY: Final = 5.0  # each is some events in a history that may go on for hours
_NEWEST: Final = 15
_MOST_LOGGED: Final = 2_000
_STAGES: Final = {"begun": Stage.BEGAN, "done": Stage.DONE, "failed": Stage.FAILED}
_log = structlog.get_logger("banksman.stacks")


class LiveStack:
    """Follows one run; `take` is what the run is given.

    Args:
        signals: Whether the goal is told, at most once in `every` seconds.
        every: Seconds between two signals.
    """

    def __init__(self, *, signals: bool = False, every: float = _EVERY) -> None:
        self._signals, self._every = signals, every
        self._done = self._failed = self._taken = 0
        self._lines: deque[str] = deque(maxlen=_NEWEST)
        self._told = 0.0
        self._telling: asyncio.Task[None] | None = None

    def take(self, told: ResourceProgress) -> None:
        """One more word of the run."""
        line = self._line(told)
        if line is None:
            return
        self._done += told.what == "done" and not told.planning
        self._failed += told.what == "failed"
        self._lines.append(line)
        activity.heartbeat({"done": self._done, "failed": self._failed, "line": line})
        if self._taken <= _MOST_LOGGED:
            _log.info("stack", line=line)
        if self._signals:
            self._signal()

    async def end(self) -> None:
        """Nothing more comes; the goal is told the last word."""
        if self._telling is not None:
            await self._telling
            await self._tell()

    def _line(self, told: ResourceProgress) -> str | None:
        self._taken += 1
        about = Metadata(op=told.op, urn=told.urn, type=told.type)
        with contextlib.suppress(ValueError):  # a name that is none: a provider's own words
            return progress_line(
                ResourceEvent(
                    sequence=self._taken,
                    timestamp=datetime.now(UTC),
                    stage=_STAGES[told.what],
                    metadata=about,
                    planning=told.planning,
                )
            )
        return None

    def _signal(self) -> None:
        """Beside the run, which waits for nobody; one at a time, and not too often."""
        if self._telling is not None and not self._telling.done():
            return
        if time.monotonic() - self._told >= self._every:
            self._told = time.monotonic()
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        info = activity.info()
        progress = StackProgress(done=self._done, failed=self._failed, lines=tuple(self._lines))
        try:
            goal = activity.client().get_workflow_handle(info.workflow_id or "", run_id=info.workflow_run_id)
            await goal.signal(SIGNAL, progress)
        except (RPCError, RuntimeError) as error:
            # What was done counts, not that somebody watched it.
            _log.warning("the goal was not told how far its step is", why=type(error).__name__)
