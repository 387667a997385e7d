"""What the tests of leases share: workers beside a provider in memory, and looks at leases."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from activities.guard.errors import mapped_errors
from activities.leases.contracts import LEASE_WORKFLOW, LeaseRequest, lease_id
from activities.leases.looking import LeaseActivities
from activities.leases.views import LeaseState, LeaseView
from activities.queues import TaskQueue
from activities.step import implemented
from tests.workflows.approval.approving import eventually
from tests.workflows.leases.sample import MACHINE, Machines, leased
from tests.workflows.leases.using import USE_MACHINE, UseMachineInput, UseMachineResult, UseMachineWorkflow
from workflows.implementations import WORKFLOWS
from workflows.leases.contracts import TELL_LEASE, LeaseResult, TellLease, ToldLease

TOLD = ToldLease(channel="C0OPS", ts="1.0")


class MappedErrors(Interceptor):
    """Errors as the guard maps them, and nothing else of the guard."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        return _Mapped(next)


class _Mapped(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's
        with mapped_errors():
            return await super().execute_activity(input)


@dataclass
class LeaseTeller:
    """The gateway's step."""

    asked: list[TellLease] = field(default_factory=list[TellLease])

    @property
    def said(self) -> list[str]:
        return ["stuck" if one.posted is None else "over" for one in self.asked]

    @activity.defn(name=TELL_LEASE.name)
    async def tell(self, request: TellLease) -> ToldLease:
        self.asked.append(request)
        return TOLD


@dataclass
class Place:
    """All that a test acts on."""

    client: Client
    machines: Machines = field(default_factory=Machines)
    teller: LeaseTeller = field(default_factory=LeaseTeller)
    mark: str = field(default_factory=lambda: f"banksman-{uuid.uuid4().hex[:16]}")

    @property
    def lease(self) -> WorkflowHandle[Any, LeaseResult]:
        return self.client.get_workflow_handle(lease_id(MACHINE.name, self.mark), result_type=LeaseResult)

    @contextlib.asynccontextmanager
    async def at_work(self, *, gateway: bool = True) -> AsyncGenerator[None]:
        """Goals, the provider's steps, and the gateway's unless a real one runs."""
        looking = LeaseActivities({MACHINE.name: MACHINE})
        steps = [*implemented(self.machines), *implemented(looking)]
        workers = [
            Worker(self.client, task_queue=TaskQueue.GOALS, workflows=[*WORKFLOWS, UseMachineWorkflow]),
            Worker(self.client, task_queue=TaskQueue.CONNECTORS, activities=steps, interceptors=[MappedErrors()]),
        ]
        if gateway:
            queues = (TaskQueue.POSTS, TaskQueue.HITL)
            workers += [Worker(self.client, task_queue=one, activities=[self.teller.tell]) for one in queues]
        async with contextlib.AsyncExitStack() as running:
            for worker in workers:
                await running.enter_async_context(worker)
            yield

    async def use(self, **given: object) -> WorkflowHandle[Any, UseMachineResult]:
        """Start the goal."""
        return await self.client.start_workflow(
            USE_MACHINE,
            UseMachineInput.model_validate({"mark": self.mark, **given}),
            id=f"use/{self.mark}",
            task_queue=TaskQueue.GOALS,
            result_type=UseMachineResult,
        )

    async def using(self, **given: object) -> WorkflowHandle[Any, UseMachineResult]:
        """The same, once it has its machine; until somebody ends it, unless it is to do something then."""
        self.machines.created.clear()
        goal = await self.use(**({"after": None} | given))
        async with asyncio.timeout(20):
            await self.machines.created.wait()
        return goal

    def request(self, *, hours: float = 4, **changes: object) -> LeaseRequest:
        """A lease that nobody's goal took."""
        now = datetime.now(UTC)
        made = MACHINE.lease(leased(self.mark), now=now, ends_at=now + timedelta(hours=hours))
        return made.model_copy(update=changes)

    async def hold(self, lease: LeaseRequest) -> WorkflowHandle[Any, LeaseResult]:
        """Start it by hand."""
        await self.client.start_workflow(LEASE_WORKFLOW, lease, id=lease.id, task_queue=TaskQueue.GOALS)
        return self.lease

    async def view(self) -> LeaseView:
        return await self.lease.query("view", result_type=LeaseView)

    async def until(self, state: LeaseState) -> LeaseView:
        """The view, once it stands so."""

        async def so() -> bool:
            return (await self.view()).state is state

        await eventually(so)
        return await self.view()
