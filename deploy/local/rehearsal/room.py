"""One rehearsal, inside: an environment of its own, the goals in it, people who say yes, and what came of it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import httpx
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.service import RPCError

from activities.queues import TaskQueue
from deploy.local.defaults import NAMESPACE
from deploy.local.options import StackOptions
from deploy.local.processes.child import ChildFailed, ChildReport
from deploy.local.rehearsal.book import BookDiffers, records, with_book
from deploy.local.rehearsal.contained import contained_engine
from deploy.local.rehearsal.order import Found, Order, OrderedGoal
from deploy.local.rehearsal.policy import PEOPLE
from deploy.local.rehearsal.sealed import require_sealed
from deploy.local.seeded_person import Message, SeededPerson
from deploy.local.stack import Stack
from deploy.local.state import PartState, StackFolder, StackState
from hitl.approval.rehearsal import RehearsedEffect
from sandbox.provisioning import EngineFound
from workflows.catalogue import find_goal
from workflows.contracts import GoalResult, GoalStatus, State
from workflows.converter import data_converter

_Answer = TypeVar("_Answer")
_POLL: Final = 0.3
_QUERIES: Final = 20
"""How often one is asked again."""
_COMPLETED: Final = State.COMPLETED.value


Seed = Callable[[], Awaitable[None]]


async def rehearse(folder: StackFolder, options: StackOptions, order: Order, *, seed: Seed) -> tuple[Found, ...]:
    """Run the goals in an environment of its own, which is ended whatever happens.

    Args:
        folder: The environment's.
        options: Of what it is made.
        order: Which goals.
        seed: Puts into the environment, once it has all that the goals need, what its twins do not take themselves.

    Returns:
        Of each goal that was begun.

    Raises:
        CannotSeal: Something outside can be reached: nothing is started then.
        ChildFailed: A part of the environment did not start.
    """
    require_sealed()
    async with _engine(folder, order) as engine, _environment(folder, options, engine) as state:
        if order.needs is not None:
            await _has(folder, order.needs)
            await seed()
        client = await Client.connect(state.temporal.address, namespace=NAMESPACE, data_converter=data_converter(None))
        ids = [one.workflow_id for one in order.goals]
        approving = asyncio.create_task(_say_yes(state.twins["slack"].url, ids))
        try:
            return await rehearse_in_order(client, order, folder)
        finally:
            approving.cancel()
            await asyncio.gather(approving, return_exceptions=True)


async def rehearse_in_order(client: Client, order: Order, folder: StackFolder) -> tuple[Found, ...]:
    """Run one after another; what comes after one that does not complete is not begun."""
    found = list[Found]()
    for one in order.goals:
        found.append(await RehearsedGoal(client, one, folder, patience=order.patience).run())
        if found[-1].outcome != _COMPLETED:
            break
    return tuple(found)


@contextlib.asynccontextmanager
async def _engine(folder: StackFolder, order: Order) -> AsyncGenerator[EngineFound | None]:
    """A container engine in here, for a goal that needs one."""
    if order.needs is None:
        yield None
        return
    async with contained_engine(folder.root.parent) as engine:
        yield engine


@contextlib.asynccontextmanager
async def _environment(
    folder: StackFolder, options: StackOptions, engine: EngineFound | None
) -> AsyncGenerator[StackState]:
    loop = asyncio.get_running_loop()
    up: asyncio.Future[StackState] = loop.create_future()
    options = replace(options, sandbox=engine is not None, engine=engine)

    def changed(report: ChildReport) -> None:
        del report

    def noted(line: str) -> None:
        del line

    stack = Stack(folder, options, changed, noted)
    running = asyncio.create_task(stack.run(up.set_result))
    try:
        await asyncio.wait({running, up}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
            raise RuntimeError("the rehearsal's environment ended before it was ready")
        yield up.result()
    finally:
        stack.stop()
        await asyncio.gather(running, return_exceptions=True)


async def _has(folder: StackFolder, needed: str) -> None:
    """Wait for what comes after the rest.

    Raises:
        ChildFailed: It does not come.
    """
    while True:
        state = await asyncio.to_thread(folder.read)
        part = state.parts[needed] if state is not None else None
        if part is not None and part.state is PartState.READY:
            return
        if part is not None and part.state is PartState.MISSING:
            raise ChildFailed(f"the rehearsal's environment has no {needed}: {part.why}")
        await asyncio.sleep(_POLL)


@dataclass
class RehearsedGoal:
    """One of the goals that are rehearsed.

    Attributes:
        patience: Seconds that it may take.
    """

    client: Client
    order: OrderedGoal
    folder: StackFolder
    patience: float = 600

    async def run(self) -> Found:
        """To its end, or until it waits for what does not come in here."""
        book = await asyncio.to_thread(records, self.folder.audit)
        known = {one.workflow_id for one in book if one.workflow_id is not None}
        began = asyncio.get_running_loop().time()
        declared = find_goal(self.order.goal)
        result = GoalResult if declared is None else declared.result
        handle = await self.client.start_workflow(
            self.order.goal,
            self.order.request,
            id=self.order.workflow_id,
            task_queue=TaskQueue.GOALS,
            result_type=result,
        )
        found = await self._ended(handle)
        took = round((asyncio.get_running_loop().time() - began) * 1000)
        status = await _answered(handle, "status", GoalStatus)
        told = await _answered(handle, "effects", tuple[RehearsedEffect, ...])
        book = await asyncio.to_thread(records, self.folder.audit)
        update: dict[str, object] = {"milliseconds": took, "effects": told}
        try:
            update["effects"] = with_book(told, book, workflow_id=self.order.workflow_id, before=known)
        except BookDiffers as differs:
            update |= {"outcome": State.FAILED.value, "why": str(differs)}
        if found.outcome != _COMPLETED:
            update["step"] = status.step or ""
        return found.model_copy(update=update)

    async def _ended(self, handle: WorkflowHandle[Any, GoalResult]) -> Found:
        waiting = asyncio.create_task(handle.result())
        try:
            async with asyncio.timeout(self.patience):
                while not waiting.done():
                    if why := await self._stuck(handle):
                        return Found(outcome=State.PARKED.value, why=why)
                    await asyncio.wait({waiting}, timeout=_POLL)
            result = waiting.result()
        except TimeoutError:
            why = f"it was not over after {self.patience:g} s"
            return Found(outcome=State.FAILED.value, why=why)
        except WorkflowFailureError as error:
            return Found(outcome=State.FAILED.value, why=_said(error))
        finally:
            waiting.cancel()
        return Found(outcome=result.outcome.value, why=result.reason or "")

    async def _stuck(self, handle: WorkflowHandle[Any, GoalResult]) -> str:
        """What it is parked at; nothing where it goes on."""
        try:
            status = await handle.query("status", result_type=GoalStatus)
        except (RPCError, WorkflowQueryFailedError):
            return ""  # no worker has it yet, or a machine under load was too slow for it
        return f"it waits for {status.waiting_for}" if status.state is State.PARKED else ""


async def _answered(handle: WorkflowHandle[Any, GoalResult], query: str, kind: type[_Answer]) -> _Answer:
    """Of a goal that is over; on a machine under load its replay may take longer than a query may."""
    for _ in range(_QUERIES):
        with contextlib.suppress(RPCError, WorkflowQueryFailedError):
            return await handle.query(query, result_type=kind)
        await asyncio.sleep(_POLL)
    return await handle.query(query, result_type=kind)


async def _say_yes(slack: str, goals: Sequence[str]) -> None:
    """As everybody of Slack's twin, once to each question that the goals ask."""
    clicked = set[tuple[str, str]]()
    people = [SeededPerson(slack, one) for one in PEOPLE.values()]
    while True:
        with contextlib.suppress(httpx.HTTPError):  # the twin begins, or the message is closed meanwhile
            for person in people:
                for message in await asyncio.to_thread(_offered, person, goals):
                    if (person.user, message.ts) not in clicked:
                        clicked.add((person.user, message.ts))
                        await asyncio.to_thread(person.click, message, "approve")
        await asyncio.sleep(_POLL)


def _offered(person: SeededPerson, goals: Sequence[str]) -> list[Message]:
    return [message for goal in goals for message in person.offered(goal, "approve")]


def _said(error: WorkflowFailureError) -> str:
    cause = error.cause
    if isinstance(cause, ActivityError) and cause.cause is not None:
        cause = cause.cause
    return cause.message if isinstance(cause, ApplicationError) else str(cause)
