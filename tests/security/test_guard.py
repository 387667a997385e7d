"""The guard on a real server: what a person with a Temporal client can try, and what a worker does about it."""

import asyncio
import sys
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import ActivityFailureError, Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import pytest
    import pytest_asyncio
    from pydantic import BaseModel
    from temporalio.contrib.pydantic import pydantic_data_converter
    from temporalio.testing import WorkflowEnvironment

    from activities.guard.audit import AuditLog, AuditRecord
    from activities.guard.audit_verify import verify
    from activities.guard.error_types import denial_of
    from activities.guard.interceptor import GuardInterceptor
    from activities.guard.policy_source import PolicySource
    from activities.heartbeat import HeartbeatInterceptor
    from activities.step import DESTRUCTIVE_EFFECTS, ORDINARY_EFFECTS, Step, implements
    from connectors.errors import RateLimited
    from deploy.temporal import development_server_options
    from hitl.protocol import Effect, RefusalReason

pytestmark = pytest.mark.asyncio(loop_scope="module")

RETRY_AFTER = timedelta(seconds=2)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so, for at most 20 seconds."""
    async with asyncio.timeout(20):
        while not await check():  # noqa: ASYNC110 - what is asked lies in a file or a server
            await asyncio.sleep(0.05)


class Request(BaseModel):
    text: str = ""


class Order(BaseModel):
    """One step to run, and how."""

    action: str
    local: bool = False
    heartbeat: timedelta | None = None
    times: int = 1


@workflow.defn(name="RunStep")
class RunStep:
    @workflow.run
    async def run(self, order: Order) -> list[str]:
        return list(await asyncio.gather(*(self._call(order) for _ in range(order.times))))

    async def _call(self, order: Order) -> str:
        # Tried once a minute: whatever comes sooner was asked for by the error.
        retry = RetryPolicy(initial_interval=timedelta(minutes=1))
        limit = timedelta(seconds=30)
        if order.local:
            return await workflow.execute_local_activity(
                order.action, Request(), result_type=str, start_to_close_timeout=limit, retry_policy=retry
            )
        return await workflow.execute_activity(
            order.action,
            Request(),
            result_type=str,
            start_to_close_timeout=limit,
            heartbeat_timeout=order.heartbeat,
            retry_policy=retry,
        )


@dataclass
class Provider:
    """What the steps reached, and when."""

    calls: list[str] = field(default_factory=list[str])
    began: asyncio.Event = field(default_factory=asyncio.Event)
    details: list[Sequence[object]] = field(default_factory=list[Sequence[object]])
    gaps: list[timedelta] = field(default_factory=list[timedelta])


class Steps:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @implements(Step(name="test.read", request=Request, response=str, effect=Effect.READ))
    async def read(self, request: Request) -> str:
        self._provider.calls.append("read")
        return "read"

    @implements(Step(name="test.write", request=Request, response=str, effect=Effect.WRITE))
    async def write(self, request: Request) -> str:
        self._provider.calls.append("write")
        return "write"

    @implements(Step(name="test.destroy", request=Request, response=str, effect=Effect.DESTRUCTIVE))
    async def destroy(self, request: Request) -> str:
        self._provider.calls.append("destroy")
        return "destroy"

    @implements(Step(name="test.limited", request=Request, response=str, effect=Effect.READ))
    async def limited(self, request: Request) -> str:
        info = activity.info()
        if info.attempt == 1:
            raise RateLimited("'test' asks to slow down", retry_after=RETRY_AFTER)
        self._provider.gaps.append(info.current_attempt_scheduled_time - info.scheduled_time)
        self._provider.calls.append("limited")
        return "limited"

    @implements(Step(name="test.wait", request=Request, response=str, effect=Effect.READ))
    async def wait(self, request: Request) -> str:
        info = activity.info()
        self._provider.details.append(info.heartbeat_details)
        if info.attempt == 1:
            activity.heartbeat("page", 7)
        self._provider.began.set()
        await asyncio.Event().wait()
        return "never"


class House:
    """One worker of one role, guarded, and the client of somebody who tries things."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.queue = f"test-{uuid.uuid4()}"
        self.provider = Provider()
        self.log = folder / "audit.jsonl"
        self._policy = folder / "policy.yaml"

    def set_policy(self, text: str) -> None:
        fresh = self._policy.with_suffix(".new")
        fresh.write_text(f"environments: {{local: {text}}}")
        fresh.replace(self._policy)

    @asynccontextmanager
    async def worker(self, *, role: str, effects: frozenset[Effect] = ORDINARY_EFFECTS) -> AsyncGenerator[None]:
        steps = Steps(self.provider)
        every: dict[Effect, list[Callable[..., Awaitable[str]]]] = {
            Effect.READ: [steps.read, steps.limited, steps.wait],
            Effect.WRITE: [steps.write],
            Effect.DESTRUCTIVE: [steps.destroy],
        }
        audit = AuditLog(self.log)
        guard = GuardInterceptor(PolicySource(self._policy, environment="local"), audit, role=role, effects=effects)
        # Every step is registered, whatever the role: the guard must hold where the refusal to start was left out.
        worker = Worker(
            self.client,
            task_queue=self.queue,
            workflows=[RunStep],
            activities=[fn for fns in every.values() for fn in fns],
            interceptors=[guard, HeartbeatInterceptor()],
            graceful_shutdown_timeout=timedelta(0),
        )
        try:
            async with worker:
                yield
        finally:
            audit.close()

    async def run(self, action: str, *, local: bool = False, times: int = 1) -> list[str]:
        order = Order(action=action, local=local, times=times)
        return await self.client.execute_workflow(
            RunStep.run, order, id=f"run-{uuid.uuid4()}", task_queue=self.queue, execution_timeout=timedelta(seconds=40)
        )

    async def refused(self, action: str, *, local: bool = False) -> RefusalReason:
        with pytest.raises(WorkflowFailureError) as caught:
            await self.run(action, local=local)
        cause = caught.value.cause
        # The server leaves out the wrapping for a local activity.
        return self.reason(cause.cause if isinstance(cause, ActivityError) else cause)

    def reason(self, error: BaseException | None) -> RefusalReason:
        assert isinstance(error, ApplicationError)
        assert (error.type, error.non_retryable) == ("PolicyDenied", True)
        denial = denial_of(error)
        assert denial is not None
        assert self.provider.calls == []
        [record] = self.records()
        assert (record.event, record.reason, record.attempt) == ("denied", denial.reason, 1)
        return denial.reason

    def records(self) -> list[AuditRecord]:
        report = verify(self.log)
        assert report.problems == []
        return [AuditRecord.model_validate_json(line) for line in self.log.read_text().splitlines()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    binary = Path(sys.executable).with_name("temporal")
    async with await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType] - the SDK's own gap
        dev_server_existing_path=str(binary),
        data_converter=pydantic_data_converter,
        dev_server_log_level="error",
        dev_server_startup_timeout=timedelta(seconds=30),
        dev_server_extra_args=development_server_options(),
    ) as found:
        yield found


@pytest.fixture
def house(server: WorkflowEnvironment, tmp_path: Path) -> House:
    house = House(server.client, tmp_path)
    house.set_policy("{phase: non_critical_writes}")
    return house


@asynccontextmanager
async def destructive(house: House) -> AsyncGenerator[None]:
    """The destructive worker, where phase and rules would let the step through: only the grant is missing."""
    house.set_policy("{phase: production, actions: [{allow: test.destroy}]}")
    async with house.worker(role="destructive", effects=DESTRUCTIVE_EFFECTS):
        yield


async def test_a_write_in_read_only_is_denied_and_the_provider_never_called(house: House) -> None:
    house.set_policy("{phase: read_only}")
    async with house.worker(role="connectors"):
        assert await house.refused("test.write") is RefusalReason.PHASE


async def test_a_destructive_step_of_a_workflow_is_refused_without_a_grant(house: House) -> None:
    async with destructive(house):
        assert await house.refused("test.destroy") is RefusalReason.NO_GRANT


async def test_a_destructive_step_started_without_a_workflow_is_refused(house: House) -> None:
    async with destructive(house):
        with pytest.raises(ActivityFailureError) as caught:
            await house.client.execute_activity(
                "test.destroy",
                Request(),
                id=f"alone-{uuid.uuid4()}",
                task_queue=house.queue,
                start_to_close_timeout=timedelta(seconds=10),
            )
        assert house.reason(caught.value.cause) is RefusalReason.STANDALONE
    [record] = house.records()
    assert (record.workflow_id, record.run_id, record.workflow_type) == (None, None, None)


async def test_a_destructive_step_called_as_a_local_activity_is_refused(house: House) -> None:
    async with destructive(house):
        assert await house.refused("test.destroy", local=True) is RefusalReason.LOCAL_ACTIVITY


async def test_a_destructive_step_on_an_ordinary_worker_is_refused(house: House) -> None:
    house.set_policy("{phase: production, actions: [{allow: test.destroy}]}")
    async with house.worker(role="connectors"):
        assert await house.refused("test.destroy") is RefusalReason.WRONG_WORKER


async def test_an_ordinary_step_on_the_destructive_worker_is_refused(house: House) -> None:
    async with destructive(house):
        assert await house.refused("test.read") is RefusalReason.WRONG_WORKER


async def test_arguments_that_escape_their_types_are_refused(house: House) -> None:
    async with house.worker(role="connectors"):
        with pytest.raises(ActivityFailureError) as caught:
            await house.client.execute_activity(
                "test.read",
                args=[{"text": "x"}, 1],
                id=f"alone-{uuid.uuid4()}",
                task_queue=house.queue,
                start_to_close_timeout=timedelta(seconds=10),
            )
        assert house.reason(caught.value.cause) is RefusalReason.MALFORMED_REQUEST


async def test_a_read_needs_no_workflow(house: House) -> None:
    async with house.worker(role="connectors"):
        found = await house.client.execute_activity(
            "test.read",
            Request(),
            id=f"alone-{uuid.uuid4()}",
            task_queue=house.queue,
            result_type=str,
            start_to_close_timeout=timedelta(seconds=10),
        )
    assert found == "read"


async def test_the_next_attempt_comes_when_the_provider_said(house: House) -> None:
    async with house.worker(role="connectors"):
        assert await house.run("test.limited") == ["limited"]
    # The preset would have waited a minute; half a second is the server's own slack.
    [gap] = house.provider.gaps
    assert RETRY_AFTER <= gap < RETRY_AFTER + timedelta(seconds=10)


async def test_a_change_of_the_policy_counts_for_the_next_step_of_a_running_worker(house: House) -> None:
    async with house.worker(role="connectors"):
        assert await house.run("test.write") == ["write"]
        house.set_policy("{phase: read_only}")
        with pytest.raises(WorkflowFailureError):
            await house.run("test.write")
        house.set_policy("{phase: non_critical_writes}")
        assert await house.run("test.write") == ["write"]
    assert [record.event for record in house.records()] == ["allowed", "finished", "denied", "allowed", "finished"]
    assert house.provider.calls == ["write", "write"]


async def test_fifty_steps_at_once_leave_one_whole_chain(house: House) -> None:
    async with house.worker(role="connectors"):
        assert await house.run("test.read", times=50) == ["read"] * 50
    records = house.records()
    assert len(records) == 100
    assert len({record.activity_id for record in records}) == 50


async def test_a_step_that_never_beats_hears_of_its_cancellation(house: House) -> None:
    async with house.worker(role="connectors"):
        handle = await house.client.start_workflow(
            RunStep.run,
            Order(action="test.wait", heartbeat=timedelta(seconds=1)),
            id=f"wait-{uuid.uuid4()}",
            task_queue=house.queue,
        )
        await asyncio.wait_for(house.provider.began.wait(), 20)
        await handle.cancel()

        async def ended() -> bool:
            return len(house.records()) == 2

        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(handle.result(), 20)
        assert isinstance(caught.value.cause, CancelledError | ActivityError)
        await eventually(ended)
    assert [record.event for record in house.records()] == ["allowed", "cancelled"]


async def test_beats_keep_a_silent_step_alive_and_its_details_whole(house: House) -> None:
    """The step writes down details once and falls silent for several timeouts; the server still has them, unharmed."""
    async with house.worker(role="connectors"):
        handle = await house.client.start_workflow(
            RunStep.run,
            Order(action="test.wait", heartbeat=timedelta(seconds=1)),
            id=f"wait-{uuid.uuid4()}",
            task_queue=house.queue,
        )
        await asyncio.wait_for(house.provider.began.wait(), 20)
        began = datetime.now(UTC)

        async def beaten_for_three_timeouts() -> bool:
            [pending] = (await handle.describe()).raw_description.pending_activities
            assert pending.attempt == 1
            last = pending.last_heartbeat_time.ToDatetime(tzinfo=UTC)
            return last > began + timedelta(seconds=3)

        await eventually(beaten_for_three_timeouts)
        [pending] = (await handle.describe()).raw_description.pending_activities
        assert [payload.data for payload in pending.heartbeat_details.payloads] == [b'"page"', b"7"]
        await handle.terminate()
