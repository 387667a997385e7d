"""The sessions that one worker holds: each a container of one run of a goal, with an end.

A session is closed by its goal; by this worker once its goal runs no more, or its time is over; and by itself when this
worker dies, for then nobody speaks with its first process. It is in no database. A call that another worker gets, or
this one after a restart, finds nothing, and says so: nobody goes on in half a work tree.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar, cast

import structlog
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.sandbox.contracts import Source
from sandbox.errors import CapacityExhausted
from sandbox.protocol import Session
from sandbox.tools.calls import Place
from sandbox.tools.rules import SessionRules

_EVERY: Final = 20.0
_ASKING_TIME: Final = timedelta(seconds=5)
_REMEMBERED: Final = 1000
_ANSWERS: Final = 16
_DIED: Final = "its container ended"
_log = structlog.get_logger("banksman.sandbox")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Owner:
    """The run of a goal that a session is of."""

    workflow_id: str
    run_id: str


class Goals(Protocol):
    """Says which goals run."""

    async def runs(self, owner: Owner) -> bool:
        """Whether it does; True where it cannot be told now."""
        ...


class GoalsOnServer:
    """What the Temporal server says of them.

    Args:
        client: Of the worker.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def runs(self, owner: Owner) -> bool:
        """See `Goals.runs`."""
        run = WorkflowExecution(workflow_id=owner.workflow_id, run_id=owner.run_id)
        request = DescribeWorkflowExecutionRequest(namespace=self._client.namespace, execution=run)
        try:
            found = await self._client.workflow_service.describe_workflow_execution(request, timeout=_ASKING_TIME)
        except RPCError as error:
            return error.status is not RPCStatusCode.NOT_FOUND
        return found.workflow_execution_info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING


@dataclass
class Held:
    """One session.

    Attributes:
        name: As goals call it.
        owner: Whose it is.
        source: What it began with.
        rules: Its own.
        place: Where its calls run.
        session: The container.
        calls: The newest, by their id: one that is tried again waits for the first one's answer.
        watch: Closes it.
        count: How many calls were begun.
    """

    name: str
    owner: Owner
    source: Source
    rules: SessionRules
    place: Place
    session: Session
    calls: dict[str, asyncio.Task[Any]] = field(default_factory=dict[str, asyncio.Task[Any]])
    watch: asyncio.Task[None] | None = None
    count: int = 0

    async def once(self, call: str, work: Callable[[], Coroutine[Any, Any, _Answer]]) -> _Answer:
        """The answer of this call, which is begun once however often it is tried, and goes on without its caller."""
        if call not in self.calls:
            for old in [one for one, task in self.calls.items() if task.done()][:-_ANSWERS]:
                del self.calls[old]
            self.calls[call] = asyncio.create_task(work())
            self.count += 1
        return cast("_Answer", await asyncio.shield(self.calls[call]))


class HeldSessions:
    """All of one worker.

    Args:
        goals: Says which goals still run.
        most: Sessions at once.
        every: Seconds between two looks whether the goal of a session runs.
    """

    def __init__(self, goals: Goals, *, most: int, every: float = _EVERY) -> None:
        self._goals, self._most, self._every = goals, most, every
        self._held: dict[str, Held] = {}
        self._opening: dict[str, asyncio.Task[Held]] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()

    async def open(self, name: str, make: Callable[[], Awaitable[Held]], *, seconds: float) -> Held:
        """The session of that name, made where it is not there.

        Raises:
            CapacityExhausted: There are as many as may be.
            SandboxError: It cannot be made.
        """
        if (held := self._held.get(name)) is not None and not held.session.lost:
            return held
        if name not in self._opening:
            if sum(not one.session.lost for one in self._held.values()) + len(self._opening) >= self._most:
                raise CapacityExhausted(f"{self._most} sessions are open here, and no more may be: one must end first")
            self._opening[name] = asyncio.create_task(self._open(name, make, seconds))
        return await asyncio.shield(self._opening[name])

    async def _open(self, name: str, make: Callable[[], Awaitable[Held]], seconds: float) -> Held:
        try:
            held = self._held[name] = await make()
        finally:
            del self._opening[name]
        held.watch = asyncio.create_task(self._watch(held, seconds))
        return held

    def find(self, name: str) -> Held | str:
        """The session, or how it ended; the empty text where nothing is known of it."""
        held = self._held.get(name)
        if held is None:
            return self._ended.get(name, "")
        return _DIED if held.session.lost else held

    async def close(self, held: Held, why: str) -> None:
        """Remove it, with what runs in it."""
        self._forget(held, why)
        await held.session.close()
        for call in held.calls.values():
            if call.done() and not call.cancelled():
                call.exception()  # read, so that the loop does not report it as lost

    async def close_all(self) -> None:
        """Remove all of them; the worker ends."""
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for held in list(self._held.values()):
            await self.close(held, "its worker ended")

    def _forget(self, held: Held, why: str) -> None:
        if held.watch is not None and held.watch is not asyncio.current_task():
            held.watch.cancel()
        if self._held.pop(held.name, None) is not None:
            self._ended[held.name] = why
            while len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)
            _log.info("a session has ended", session=held.name, why=why)

    async def _watch(self, held: Held, seconds: float) -> None:
        """Close it when it is due, or when nobody can tell. A timer of the goal's would end with a terminated goal."""
        why = "it could not be watched"
        try:
            async with asyncio.timeout(seconds):
                why = await self._unwanted(held)
        except TimeoutError:
            why = f"its {seconds:.0f} seconds were over"
        finally:
            await self.close(held, why)

    async def _unwanted(self, held: Held) -> str:
        """Wait until nobody wants it any more; why."""
        while True:
            await asyncio.sleep(self._every)
            if held.session.lost:
                return _DIED
            if not await self._goals.runs(held.owner):
                return "its goal runs no more"
