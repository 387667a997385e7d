"""One stack, one goal at a time: a workflow for each stack, whose id is the stack's, keeps the line of who waits.

A goal holds the stack while Pulumi works on it, and not while people think about a plan: what they approved is
compared with the stack again once the goal has its turn.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict, Field

    from hitl.hidden import unhidden_lines
    from workflows.one_input import OneInput

STACK_LOCK: Final = "StackLock"
STACK_TURN: Final = "stack_turn"
LOOK_AFTER: Final = timedelta(minutes=5)

_WAIT_IN_LINE: Final = "wait_in_line"
_LEAVE_LINE: Final = "leave_line"
_AGAIN: Final = timedelta(seconds=1)


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Ticket(_Message):
    """One goal's wish for the stack."""

    workflow_id: str
    run_id: str
    number: int = Field(description="Tells apart what one run asks for, one after the other.")


class StackLine(_Message):
    """Who has the stack, and then who waits for it. The answer to the query `line`."""

    tickets: tuple[Ticket, ...] = ()
    look_after: timedelta = Field(
        default=LOOK_AFTER,
        description="How often to look whether those in it are still there; and how long to stay without any.",
    )


class StackTurn(_Message):
    """What a lock tells those in its line."""

    number: int = Field(description="Of the ticket that it is about.")
    ahead: int = Field(description="How many come before; with none, the stack is yours.")
    holder: str = Field(description="The goal that has it, by its workflow id.")


def lock_id(project: str, stack: str) -> str:
    """The workflow id of a stack's lock: the state knows a stack by these two names, whatever repository says them."""
    return f"stack/{project}/{stack}"


@workflow.defn(name=STACK_LOCK)
class StackLockWorkflow(OneInput):
    """The line of one stack. It ends by itself when nobody has waited for a while."""

    @workflow.init
    def __init__(self, line: StackLine) -> None:
        self._line = list(line.tickets)
        self._look_after = line.look_after
        self._told: dict[Ticket, StackTurn] = {}
        self._news = True

    @workflow.signal(name=_WAIT_IN_LINE)
    def wait_in_line(self, ticket: Ticket) -> None:
        """Come after those who are there; asking twice is asking once."""
        if ticket not in self._line:
            self._line.append(ticket)
            self._news = True

    @workflow.signal(name=_LEAVE_LINE)
    def leave_line(self, ticket: Ticket) -> None:
        """Give the stack back, or wait no longer."""
        if ticket in self._line:
            self._line.remove(ticket)
            self._news = True

    @workflow.query
    def line(self) -> StackLine:
        """Who has the stack, and who waits for it."""
        return StackLine(tickets=tuple(self._line), look_after=self._look_after)

    @workflow.run
    async def run(self, line: StackLine) -> None:
        """Tell everybody their place whenever it changes; take those who are gone out of the line."""
        del line
        while True:
            await self._tell()
            try:
                await workflow.wait_condition(lambda: self._news, timeout=self._look_after)
            except TimeoutError:
                if not self._line:
                    return
                self._told.clear()
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self.line())

    async def _tell(self) -> None:
        """Until nothing has changed on the way."""
        self._news = True
        while self._news:
            self._news = False
            self._show()
            for ticket in tuple(self._line):
                await self._tell_one(ticket)

    async def _tell_one(self, ticket: Ticket) -> None:
        if ticket not in self._line:
            return
        turn = StackTurn(number=ticket.number, ahead=self._line.index(ticket), holder=self._line[0].workflow_id)
        if self._told.get(ticket) == turn:
            return
        self._told[ticket] = turn
        run = workflow.get_external_workflow_handle(ticket.workflow_id, run_id=ticket.run_id)
        try:
            await run.signal(STACK_TURN, turn)
        except ApplicationError:  # the server knows no such run, or it is over
            self.leave_line(ticket)
            self._told.pop(ticket, None)

    def _show(self) -> None:
        names = [one.workflow_id for one in self._line]
        waiting = "".join(f"\n\n{place}. {name}" for place, name in enumerate(names[1:], start=1))
        workflow.set_current_details(unhidden_lines(f"**Held by** {names[0]}{waiting}") if names else "Free")


@dataclass
class _Place:
    """Where a goal stands in the line of one stack."""

    ticket: Ticket
    turn: StackTurn | None = None


class _Held(contextlib.AbstractAsyncContextManager[None]):
    """Something taken before a block and given back after it, also where the block fails or is cancelled.

    Not where the worker ends: then Python throws what is neither an `Exception` nor a cancellation into the block,
    outside of the workflow, where nothing can be awaited (temporalio/sdk-python#494). The goal still has what it took,
    and goes on with the next worker. A generator would not do here: the collector may end it before the block.
    """

    def __init__(self, take: Callable[[], Awaitable[None]], give_back: Callable[[], Awaitable[None]]) -> None:
        self._take = take
        self._give_back = give_back

    async def __aenter__(self) -> None:
        try:
            await self._take()
        except (Exception, asyncio.CancelledError):
            await self._give_back()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, (Exception, asyncio.CancelledError)):
            await self._give_back()


class StackQueueing:
    """The goal's side. The goal hands every `StackTurn` that it is signalled to `take_turn`.

    Args:
        waits: Called with what the goal waits for, and with None when it waits no longer.
        look_after: How often a lock that this goal starts looks after those in its line.
    """

    def __init__(self, waits: Callable[[str | None], None], *, look_after: timedelta = LOOK_AFTER) -> None:
        self._waits = waits
        self._look_after = look_after
        self._count = 0
        self._places: dict[int, _Place] = {}

    def take_turn(self, turn: StackTurn) -> None:
        """What a lock says. One about a ticket that was given back is of no interest."""
        if (place := self._places.get(turn.number)) is not None:
            place.turn = turn

    def holding(
        self, project: str, stack: str, *, first: Callable[[], Awaitable[None]] | None = None
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Have the stack alone for as long as the block runs; wait for it first, however long that takes.

        Args:
            project: Pulumi's project.
            stack: Its stack.
            first: What is done before the block, once the stack is ours. Where it raises, the stack is given back.
        """
        return self.holding_line(lock_id(project, stack), f"the stack {project}/{stack}", first=first)

    def holding_line(
        self,
        lock: str,
        said: str,
        *,
        first: Callable[[], Awaitable[None]] | None = None,
        look_after: timedelta | None = None,
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Have for the block what this lock is of; one goal may hold several, each in a block of its own.

        Args:
            lock: The lock's workflow id.
            said: What it is of, for people.
            first: As of `holding`.
            look_after: How often this lock looks after those in its line, where it is started here.
        """
        self._count += 1
        info = workflow.info()
        place = _Place(Ticket(workflow_id=info.workflow_id, run_id=info.run_id, number=self._count))

        async def take() -> None:
            self._places[place.ticket.number] = place
            await _enter(lock, StackLine(tickets=(place.ticket,), look_after=look_after or self._look_after))
            await self._until_ours(place, said)
            if first is not None:
                await first()

        async def give_back() -> None:
            self._places.pop(place.ticket.number, None)
            await _leave(lock, place.ticket)

        return _Held(take, give_back)

    async def _until_ours(self, place: _Place, name: str) -> None:
        while True:
            seen = place.turn
            if seen is not None and seen.ahead == 0:
                self._waits(None)
                return
            if seen is not None:
                others = f", and {seen.ahead - 1} more before this one" if seen.ahead > 1 else ""
                self._waits(f"{name}, which {seen.holder} has{others}")
            await workflow.wait_condition(lambda seen=seen: place.turn != seen)


async def _enter(lock: str, line: StackLine) -> None:
    """With the first ticket, or behind others: between looking and asking, a lock may have ended."""
    while True:
        try:
            await workflow.start_child_workflow(
                STACK_LOCK,
                line,
                id=lock,
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary="Acquire stack lock",
            )
        except WorkflowAlreadyStartedError:
            with contextlib.suppress(ApplicationError):
                await _signal(lock, _WAIT_IN_LINE, line.tickets[0])
                return
            await workflow.sleep(_AGAIN)
        else:
            return


async def _leave(lock: str, ticket: Ticket) -> None:
    """A lock that is over has nobody in its line."""
    with contextlib.suppress(ApplicationError):
        await _signal(lock, _LEAVE_LINE, ticket)


async def _signal(lock: str, name: str, ticket: Ticket) -> None:
    handle = workflow.get_external_workflow_handle(lock)
    # Let go, never cancelled: a signal that is cancelled in the task that sends it wedges the workflow.
    await asyncio.shield(handle.signal(name, ticket))
