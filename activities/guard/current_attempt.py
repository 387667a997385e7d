"""Whether the attempt at a destructive step that runs here is still the current one.

A worker that slept, or whose machine did, goes on where it was: with a task that was given to another meanwhile, or for
a goal that was cancelled. So before anything is leased for a destructive step, and again right before its effect, the
server is asked whether it still waits for exactly this attempt, and the clocks whether its time is over. The monotonic
clock goes on while a process is stopped, and the other one while the machine sleeps; the later of them counts.

An answer is worth something for as long as it takes to use it: one that took longer to arrive is asked for again. What
can still happen between the last answer and the effect at the provider is said in the threat model.
"""

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, timedelta
from enum import Enum
from typing import Final, Protocol, Self

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from connectors.errors import Unavailable

FRESH: Final = timedelta(seconds=1)
"""An answer of the server's that took longer is asked for again."""

_ASKING: Final = timedelta(seconds=5)
_CANCELLATION: Final = timedelta(seconds=30)
_TOLD: Final = timedelta(seconds=1)
_ENDING: Final = frozenset(
    {
        PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
        PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED,
    }
)


class Use(Enum):
    """How an execution comes to its grant."""

    FIRST = "first"
    """Nothing was done on it yet."""
    RETRY = "retry"
    """This same execution was tried before, and may have acted: read first."""


class NotCurrent(Unavailable):
    """Nobody waits for this attempt any more. Where somebody does after all, the next attempt is a current one."""

    def __init__(self, why: str, *, ending: bool = False) -> None:
        super().__init__(why)
        self.ending = ending
        """Whether the server is about to tell the step to end."""


class Attempts(Protocol):
    """Says which attempts are waited for."""

    async def require(self, info: activity.Info) -> None:
        """Ask whether this attempt is the one that is waited for.

        Raises:
            NotCurrent: It is not.
            Unavailable: It cannot be told now.
        """
        ...


class AttemptsOnServer:
    """What the Temporal server says of attempts.

    Args:
        client: Of the worker.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def require(self, info: activity.Info) -> None:
        """See `Attempts.require`."""
        run = WorkflowExecution(workflow_id=info.workflow_id or "", run_id=info.workflow_run_id or "")
        request = DescribeWorkflowExecutionRequest(namespace=info.namespace, execution=run)
        try:
            described = await self._client.workflow_service.describe_workflow_execution(request, timeout=_ASKING)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotCurrent(f"there is no run {run.run_id!r} of {run.workflow_id!r} any more") from error
            raise Unavailable(
                f"Temporal cannot be asked whether {run.workflow_id!r} still runs ({error.status.name}), so "
                f"{info.activity_type!r} waits"
            ) from error
        _require_current(info, described)


def _require_current(info: activity.Info, described: DescribeWorkflowExecutionResponse) -> None:
    goal = f"the run {info.workflow_run_id!r} of {info.workflow_id!r}"
    status = described.workflow_execution_info.status
    if status != WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING:
        name = WorkflowExecutionStatus.Name(status).removeprefix("WORKFLOW_EXECUTION_STATUS_").lower()
        raise NotCurrent(f"{goal} runs no more: it is {name}")
    if described.workflow_extended_info.cancel_requested:
        raise NotCurrent(f"{goal} is being cancelled", ending=True)
    found = next((one for one in described.pending_activities if one.activity_id == info.activity_id), None)
    if found is None:
        raise NotCurrent(f"{goal} does not wait for the step {info.activity_id!r} any more")
    if found.state in _ENDING:
        raise NotCurrent(f"{goal} wants the step {info.activity_id!r} to end", ending=True)
    started = found.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    since = found.last_started_time.ToDatetime(tzinfo=UTC)
    if not started or (found.attempt, since) != (info.attempt, info.started_time):
        raise NotCurrent(f"attempt {info.attempt} at the step {info.activity_id!r} of {goal} was given up meanwhile")


@dataclass(frozen=True)
class Moment:
    """A point in time on both clocks."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """This one."""
        return cls(time.monotonic(), time.time())

    def since(self, earlier: Self) -> timedelta:
        """How long ago that was, by the clock that says more."""
        return timedelta(seconds=max(self.monotonic - earlier.monotonic, self.wall - earlier.wall))


class CurrentAttempt:
    """One attempt at a destructive step, from the guard to its end.

    Args:
        info: The activity's own.
        attempts: Says which attempts are waited for.
        clock: The time now, on both clocks.
    """

    def __init__(self, info: activity.Info, attempts: Attempts, *, clock: Callable[[], Moment] = Moment.now) -> None:
        self._info, self._attempts, self._clock = info, attempts, clock
        self._began = self._beat = clock()
        self.use = Use.FIRST
        """How it comes to its grant; told by the guard."""
        self.refused = False
        """Whether it was found not to be current."""
        self._ending = False

    def beats(self) -> None:
        """A heartbeat goes out. One that comes too late saves nothing: the server has given the attempt up."""
        now = self._clock()
        self.refused |= self._silent(now)
        self._beat = now

    async def require(self) -> None:
        """The last look: to be taken right before what cannot be undone.

        Raises:
            NotCurrent: Nobody waits for this attempt.
            Unavailable: It cannot be told now; nothing may be done.
        """
        try:
            await self._look()
        except NotCurrent as stale:
            self.refused, self._ending = True, stale.ending
            raise

    async def _look(self) -> None:
        while True:
            asked = self._clock()
            self._require_time(asked)
            await self._attempts.require(self._info)
            if self._clock().since(asked) <= FRESH:
                return

    def _require_time(self, now: Moment) -> None:
        info = self._info
        limit = info.start_to_close_timeout
        started = Moment(self._began.monotonic, min(self._began.wall, info.started_time.timestamp()))
        if limit is not None and now.since(started) >= limit:
            raise NotCurrent(
                f"the {limit.total_seconds():.0f} s of this attempt at {info.activity_id!r} are over, or the clock of "
                "this machine is wrong"
            )
        if self.refused or self._silent(now):
            raise NotCurrent(f"this worker slept through its heartbeats for {info.activity_id!r}")

    def _silent(self, now: Moment) -> bool:
        limit = self._info.heartbeat_timeout
        return limit is not None and now.since(self._beat) >= limit

    async def settle(self) -> None:
        """Let the cancellation come that is on its way, so that the step ends as cancelled and not as failed."""
        if not self._ending:
            return
        limit = (self._info.heartbeat_timeout or _CANCELLATION) + _TOLD
        activity.heartbeat(*self._info.heartbeat_details)
        await asyncio.sleep(limit.total_seconds())


_RUNNING: Final[ContextVar[CurrentAttempt | None]] = ContextVar("banksman_current_attempt", default=None)


def begin(attempt: CurrentAttempt | None) -> None:
    """From here on, this is the attempt of the task that runs; for the guard alone."""
    _RUNNING.set(attempt)


def found_attempt() -> CurrentAttempt | None:
    """The attempt at a destructive step that runs now, if it is one."""
    return _RUNNING.get()


def current_attempt() -> CurrentAttempt:
    """The attempt at a destructive step that runs now.

    Raises:
        RuntimeError: No guard let this code run as one.
    """
    found = _RUNNING.get()
    if found is None:
        raise RuntimeError("a destructive step runs without its guard, and does nothing")
    return found
