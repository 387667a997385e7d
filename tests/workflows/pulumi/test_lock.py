"""The line of a stack, on the real server: who comes first has it, and who is gone has it no longer."""

import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from tests.workflows.approval.approving import eventually
from tests.workflows.holding import HolderWorkflow
from workflows.pulumi.lock import StackLine, StackLockWorkflow, lock_id

QUEUE = "stack-lock-test"


class Line:
    """Goals on one stack, started one after the other."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.project = f"p{uuid.uuid4().hex[:8]}"
        self.lock = client.get_workflow_handle(lock_id(self.project, "dev"))

    async def start(self, name: str) -> WorkflowHandle[Any, Any]:
        """Another goal, once the lock has told it its place."""
        handle = await self.client.start_workflow(
            "Holder", self.project, id=f"{name}-{self.project}", task_queue=QUEUE, result_type=str
        )

        async def in_line() -> bool:
            return await handle.query("has", result_type=bool) or await handle.query("waits") is not None

        await eventually(in_line)
        return handle

    async def names(self) -> list[str]:
        """Who is in the line, as the lock says."""
        found = await self.lock.query("line", result_type=StackLine)
        return [one.workflow_id.partition("-")[0] for one in found.tickets]


@pytest.fixture
async def line(client: Client) -> AsyncGenerator[Line]:
    worker = Worker(client, task_queue=QUEUE, workflows=[HolderWorkflow, StackLockWorkflow])
    async with worker:
        made = Line(client)
        yield made
        with contextlib.suppress(RPCError):
            await made.lock.terminate("the test is over")


def has(handle: WorkflowHandle[Any, Any]) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return await handle.query("has", result_type=bool)

    return asked


async def test_the_second_waits_for_the_first_and_says_so(line: Line) -> None:
    first = await line.start("first")
    await eventually(has(first))
    second, third = await line.start("second"), await line.start("third")
    assert await second.query("waits") == f"the stack {line.project}/dev, which {first.id} has"
    assert (
        await third.query("waits") == f"the stack {line.project}/dev, which {first.id} has, and 1 more before this one"
    )
    assert not await has(second)()
    await first.signal("enough")
    await eventually(has(second))
    assert not await has(third)()
    assert await second.query("waits") is None
    assert await line.names() == ["second", "third"]
    for one in (second, third):
        await eventually(has(one))
        await one.signal("enough")
        assert await one.result() == "given back"


async def test_one_that_waits_no_longer_is_passed_over(line: Line) -> None:
    first = await line.start("first")
    await eventually(has(first))
    second, third = await line.start("second"), await line.start("third")
    await second.cancel()
    with pytest.raises(WorkflowFailureError):
        await second.result()
    await first.signal("enough")
    await eventually(has(third))
    await third.signal("enough")
    await third.result()


async def test_one_that_was_cancelled_while_it_had_it_gives_it_back(line: Line) -> None:
    first = await line.start("first")
    await eventually(has(first))
    second = await line.start("second")
    await first.cancel()
    await eventually(has(second))
    await second.signal("enough")
    assert await second.result() == "given back"


async def test_one_that_is_gone_without_a_word_is_found_out(line: Line) -> None:
    first = await line.start("first")
    await eventually(has(first))
    second = await line.start("second")
    await first.terminate("by hand")
    await eventually(has(second))
    await second.signal("enough")
    await second.result()


async def test_a_lock_that_nobody_needs_ends_and_the_next_one_finds_the_stack_free(line: Line) -> None:
    first = await line.start("first")
    await eventually(has(first))
    await first.signal("enough")
    await first.result()
    await line.client.get_workflow_handle(line.lock.id).result()
    second = await line.start("second")
    await eventually(has(second))
    await second.signal("enough")
    await second.result()
