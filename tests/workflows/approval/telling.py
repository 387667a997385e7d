"""A gateway that is asked to tell people of parked goals, and what it heard; the goals are the real ones."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.worker import Worker

from activities.queues import TaskQueue
from tests.workflows.scripted import next_answer
from workflows.parked_contracts import PARKED_NOTICE, TELL_PARKED, TellParked, ToldParked

TOLD = ToldParked(channel="C0OPS", ts="1.0")


@dataclass
class Teller:
    """The gateway's step; each call takes the next answer, and the last one stays."""

    answers: list[ToldParked | Exception] = field(default_factory=lambda: [TOLD])
    asked: list[TellParked] = field(default_factory=list[TellParked])

    @property
    def said(self) -> list[str]:
        """What people were told, in order."""
        return ["parked" if one.posted is None else "over" for one in self.asked]

    @activity.defn(name=TELL_PARKED.name)
    async def tell(self, request: TellParked) -> ToldParked:
        self.asked.append(request)
        return next_answer(self.answers)

    @contextlib.asynccontextmanager
    async def at_work(self, client: Client) -> AsyncGenerator[None]:
        """On both of the gateway's queues."""
        async with (
            Worker(client, task_queue=TaskQueue.POSTS, activities=[self.tell]),
            Worker(client, task_queue=TaskQueue.HITL, activities=[self.tell]),
        ):
            yield


async def notices(client: Client, goal: WorkflowHandle[Any, Any]) -> list[WorkflowHandle[Any, Any]]:
    """The workflows that were left to tell of a goal, in order."""
    events = (await goal.fetch_history()).events
    begun = [one.child_workflow_execution_started_event_attributes for one in events]  # what is initiated may never be
    return [
        client.get_workflow_handle(one.workflow_execution.workflow_id)
        for one in begun
        if one.workflow_type.name == PARKED_NOTICE
    ]


async def ends(client: Client, goal: WorkflowHandle[Any, Any]) -> list[WorkflowExecutionStatus | None]:
    """How they ended, once all of them have."""
    found = await notices(client, goal)
    for one in found:
        await one.result()
    return [(await one.describe()).status for one in found]


async def until_told(client: Client, goal: WorkflowHandle[Any, Any]) -> WorkflowHandle[Any, Any]:
    """The notice of a goal, once it waits for the parking to be over."""
    async with asyncio.timeout(20):
        while True:
            for notice in await notices(client, goal):
                if (await notice.fetch_history()).events[-1].HasField("workflow_task_completed_event_attributes"):
                    return notice
            await asyncio.sleep(0.05)
