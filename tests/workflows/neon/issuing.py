"""The goal `IssueNeonLogin` with its real steps, and a worker that is killed right after it was issued a login."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.leases.contracts import lease_id
from activities.neon.logins.contracts import ISSUE_LOGIN, NEON_LOGIN, IssueLogin, LoginIssued
from activities.neon.logins.issuing import NeonIssuing
from activities.neon.looking import NeonLooking
from activities.queues import TaskQueue
from activities.step import implemented, implements
from connectors.creation import mark
from connectors.neon.purposes import Purpose
from tests.activities.neon.lending import Bank
from tests.connectors.neon.at_neon import PROJECT
from tests.workflows.leases.leasing import LeaseTeller, MappedErrors
from workflows.implementations import WORKFLOWS
from workflows.leases.contracts import LeaseResult
from workflows.neon.goals import ISSUE_NEON_LOGIN, IssueNeonLoginInput, IssueNeonLoginResult


class Killed(NeonIssuing):
    """Its first attempt never answers, once the login is there; Temporal gives it to another worker in time."""

    issued: asyncio.Event

    @implements(ISSUE_LOGIN)
    async def issue_login(self, request: IssueLogin) -> LoginIssued:
        await super().issue_login(request)
        self.issued.set()
        return await asyncio.get_running_loop().create_future()


def killed(bank: Bank) -> Killed:
    made = Killed(bank.session, base_url=bank.neon.served.url)
    made.issued = asyncio.Event()
    return made


@contextlib.asynccontextmanager
async def at_work(client: Client, bank: Bank, issuing: NeonIssuing | None = None) -> AsyncGenerator[None]:
    """The workers."""
    looking = NeonLooking(bank.session, base_url=bank.neon.served.url)
    provider = (looking, bank.making, bank.ending, bank.opening, issuing or bank.issuing)
    steps = [one for made in provider for one in implemented(made)]
    teller = LeaseTeller()
    workers = [
        Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS),
        Worker(
            client,
            task_queue=TaskQueue.CONNECTORS,
            activities=steps,
            interceptors=[MappedErrors()],
            graceful_shutdown_timeout=timedelta(),
        ),
        *(Worker(client, task_queue=one, activities=[teller.tell]) for one in (TaskQueue.POSTS, TaskQueue.HITL)),
    ]
    async with contextlib.AsyncExitStack() as running:
        for worker in workers:
            await running.enter_async_context(worker)
        yield


async def start(client: Client, goal_id: str, *, hours: int = 1) -> WorkflowHandle[object, IssueNeonLoginResult]:
    """The goal."""
    return await client.start_workflow(
        ISSUE_NEON_LOGIN.name,
        IssueNeonLoginInput(project=PROJECT, branch="main", database="shop", purpose=Purpose.READ, hours=hours),
        id=goal_id,
        task_queue=TaskQueue.GOALS,
        result_type=IssueNeonLoginResult,
    )


def lease_of(client: Client, goal_id: str) -> WorkflowHandle[object, LeaseResult]:
    """What holds its login."""
    return client.get_workflow_handle(lease_id(NEON_LOGIN.name, mark(goal_id)), result_type=LeaseResult)
