"""What GitHub could not deliver is sent again: each failed attempt once, later each time, and nothing that came."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import Client, ScheduleHandle
from temporalio.worker import Worker

from activities.github.installations_contracts import (
    FIND_INSTALLATIONS,
    CoveredRepository,
    FindInstallationsRequest,
    InstallationFound,
    InstallationsFound,
)
from activities.github.redelivery_contracts import (
    FIND_FAILED_DELIVERIES,
    REDELIVER,
    FailedDeliveriesFound,
    FailedDelivery,
    FindFailedDeliveriesRequest,
    Redelivered,
    RedeliverRequest,
)
from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from deploy.temporal.schedules import REDELIVERY_SCHEDULE, schedule_redelivery
from tests.hitl.gateway.running import eventually
from workflows.github.contracts import FIND_UNRECEIVED, FindUnreceivedRequest, SweepResult, UnreceivedFound
from workflows.github.installation import GitHubInstallationWorkflow
from workflows.github.installation_contracts import (
    INSTALLATION_MEMO,
    INSTALLATION_WORKFLOW,
    InstallationState,
    installation_id,
)
from workflows.github.sweep import FIRST_PAUSE, SweepGitHubDeliveriesWorkflow, due
from workflows.runner import sandbox_runner

GUIDS = [f"0b989ba4-242f-11e5-81e1-00000000000{number}" for number in range(4)]


def failed(number: int, *, ago: timedelta = timedelta(hours=1), attempts: int = 1, newest: int = 0) -> FailedDelivery:
    at = datetime.now(UTC) - ago
    return FailedDelivery(guid=GUIDS[number], newest=newest or number, failed_at=at, attempts=attempts)


def test_each_attempt_waits_longer_than_the_one_before_and_is_answered_once() -> None:
    now = datetime.now(UTC)
    short = timedelta(seconds=1)
    soon = [failed(1, ago=FIRST_PAUSE - short), failed(2, ago=FIRST_PAUSE * 4 - short, attempts=2)]
    assert due(soon, [], now=now) == []
    late = [failed(1, ago=FIRST_PAUSE + short), failed(2, ago=FIRST_PAUSE * 4 + short, attempts=2)]
    assert due(late, [], now=now) == late
    assert due(late, [1], now=now) == late[1:]


def test_one_sweep_does_not_send_everything_at_once() -> None:
    many = [failed(1, newest=number) for number in range(1000)]
    assert len(due(many, [], now=datetime.now(UTC))) == 200


class GitHub:
    """The steps, as a test scripts them."""

    def __init__(self) -> None:
        self.failures: list[FailedDelivery] = []
        self.received: set[str] = set()
        self.sent: list[int] = []
        self.broken = False
        self.installed: list[InstallationFound] = []

    @activity.defn(name=FIND_FAILED_DELIVERIES.name)
    async def find(self, request: FindFailedDeliveriesRequest) -> FailedDeliveriesFound:
        assert timedelta(days=2) < datetime.now(UTC) - request.since < timedelta(days=3)
        return FailedDeliveriesFound(deliveries=tuple(self.failures))

    @activity.defn(name=REDELIVER.name)
    async def redeliver(self, request: RedeliverRequest) -> Redelivered:
        if self.broken and self.sent:
            raise application_error(ErrorType.POLICY_DENIED, "the phase is read_only")
        self.sent.append(request.attempt)
        return Redelivered()

    @activity.defn(name=FIND_INSTALLATIONS.name)
    async def installations(self, request: FindInstallationsRequest) -> InstallationsFound:
        return InstallationsFound(installations=tuple(one for one in self.installed if one.number not in request.known))

    @activity.defn(name=FIND_UNRECEIVED.name)
    async def unreceived(self, request: FindUnreceivedRequest) -> UnreceivedFound:
        return UnreceivedFound(deliveries=tuple(one for one in request.deliveries if one not in self.received))


@pytest_asyncio.fixture(loop_scope="session")
async def schedule(client: Client) -> AsyncIterator[ScheduleHandle]:
    assert await schedule_redelivery(client)
    assert not await schedule_redelivery(client), "one that is there stays as its operator left it"
    made = client.get_schedule_handle(REDELIVERY_SCHEDULE)
    yield made
    await made.delete()


async def swept(client: Client, schedule: ScheduleHandle) -> SweepResult:
    """One more sweep of the schedule's, to its end."""
    before = len((await schedule.describe()).info.recent_actions)
    await schedule.trigger()

    async def begun() -> bool:
        return len((await schedule.describe()).info.recent_actions) > before

    await eventually(begun)
    action = (await schedule.describe()).info.recent_actions[-1].action
    workflow_id = getattr(action, "workflow_id", "")
    result = await client.get_workflow_handle(workflow_id, result_type=SweepResult).result()

    async def over() -> bool:
        return not (await schedule.describe()).info.running_actions

    await eventually(over)
    return result


@pytest.mark.asyncio(loop_scope="session")
async def test_sweeps_go_on_from_one_another(client: Client, schedule: ScheduleHandle) -> None:
    github = GitHub()
    goals = Worker(
        client,
        task_queue=TaskQueue.GOALS,
        workflows=[SweepGitHubDeliveriesWorkflow, GitHubInstallationWorkflow],
        workflow_runner=sandbox_runner(),
    )
    steps = [github.find, github.redeliver, github.installations]
    connectors = Worker(client, task_queue=TaskQueue.CONNECTORS, activities=steps)
    async with goals, connectors, Worker(client, task_queue=TaskQueue.HITL, activities=[github.unreceived]):
        github.failures, github.received = [failed(1), failed(2), failed(3)], {GUIDS[3]}
        first = await swept(client, schedule)
        assert (github.sent, first.redelivered) == ([1, 2], 2)
        second = await swept(client, schedule)
        assert (github.sent, second.redelivered, second.sent) == ([1, 2], 0, (1, 2))
        github.failures = [failed(1, newest=5, attempts=2), failed(2, newest=6, attempts=2)]
        github.broken, github.sent = True, []
        known, new = (secrets.randbelow(10**9) for _ in range(2))
        github.installed = [installed(known), installed(new)]
        kept = await client.start_workflow(
            INSTALLATION_WORKFLOW,
            InstallationState(number=known),
            id=installation_id(known),
            task_queue=TaskQueue.GOALS,
        )
        third = await swept(client, schedule)
        assert (github.sent, third.sent) == ([5], (1, 2, 5)), "what was sent before the refusal is known"
        assert third.unseen == "the phase is read_only"
        assert (set(third.installations), third.begun) == ({known, new}, (new,)), "one that was there is left alone"
        begun = client.get_workflow_handle(installation_id(new))
        said = InstallationState.model_validate((await (await begun.describe()).memo())[INSTALLATION_MEMO])
        assert [one.full_name for one in said.repositories] == ["acme/shop"], "it says so before any event came"
        for one in (begun, kept):
            await one.terminate()


def installed(number: int) -> InstallationFound:
    shop = CoveredRepository(full_name="acme/shop", id=7)
    return InstallationFound(number=number, login="acme", account=1, updated_at=datetime.now(UTC), repositories=(shop,))
