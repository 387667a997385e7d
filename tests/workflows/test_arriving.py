"""What everybody who reaches Temporal can send to a workflow: no input, two, nothing, nonsense, in any encoding."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.sdk.trace import TracerProvider
from temporalio import workflow
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.guard.error_types import ErrorType
from activities.queues import TaskQueue
from hitl.approval.decision import Verdict
from tests.workers.test_codec import ring
from tests.workflows.approval.approving import ACTION, Ask, House
from tests.workflows.leases.leasing import Place
from tests.workflows.raw_step import Ended, RawStepWorkflow
from tests.workflows.scripted import Steps, workers
from workers.codec import EncryptionCodec
from workflows.agent.answer_notice import AnswerNoticeWorkflow
from workflows.agent.findings_notice import FindingsNoticeWorkflow
from workflows.approval.messages import ApprovalNoticeWorkflow
from workflows.approval.workflow import ApprovalWorkflow
from workflows.catalogue import GOALS
from workflows.contracts import GoalStatus, State
from workflows.converter import PLAIN_ENCODING, SEALED_ENCODING, data_converter
from workflows.github.delivery import GitHubDeliveryWorkflow
from workflows.github.installation import GitHubInstallationWorkflow
from workflows.github.installation_contracts import InstallationState
from workflows.github.job_contracts import GITHUB_JOB
from workflows.github.scheduled import GitHubScheduledWorkflow
from workflows.github.sweep import SweepGitHubDeliveriesWorkflow
from workflows.github.sweep_schedules import SweepGitHubSchedulesWorkflow
from workflows.goal import Goal
from workflows.health.contracts import HealthState
from workflows.health.repository_health import RepositoryHealthWorkflow
from workflows.implementations import WORKFLOWS
from workflows.leases.contracts import ExtendLease
from workflows.leases.lease import LeaseWorkflow
from workflows.leases.notice import LeaseNoticeWorkflow
from workflows.leases.sweep import SweepLeasesWorkflow
from workflows.opinions.opinion import OpinionWorkflow
from workflows.parking import ParkedNoticeWorkflow
from workflows.plugin import banksman_plugin
from workflows.pulumi.lock import StackLine, StackLockWorkflow
from workflows.repository.goals import ReadFileInput, ReadFileResult
from workflows.unknown_goal import UnknownGoalWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


def raw(encoding: bytes | None, data: bytes = b"{}", **metadata: bytes) -> RawValue:
    named = metadata if encoding is None else {"encoding": encoding, **metadata}
    return RawValue(Payload(metadata=named, data=data))


ENCODINGS: Final = {
    "encrypted": raw(b"binary/encrypted", b"\x00" * 40, **{"banksman-key": b"a"}),
    "encrypted by others": raw(b"binary/encrypted-v2", b"\x00" * 40),
    "json/protobuf": raw(b"json/protobuf", b"{}", messageType=b"temporal.api.common.v1.WorkflowExecution"),
    "json/protobuf of nothing": raw(b"json/protobuf"),
    "binary/protobuf": raw(b"binary/protobuf", b"", messageType=b"temporal.api.common.v1.WorkflowExecution"),
    "bytes": raw(b"binary/plain", b"\xff\xfe"),
    "no encoding": raw(None),
    "no text": raw(b"\xff\xfe"),
    "marked as plain": raw(PLAIN_ENCODING.encode()),
    "marked as sealed": raw(SEALED_ENCODING.encode(), b"\xff"),
}
MALFORMED: Final[dict[str, list[object]]] = {
    "none": [],
    "two": [{}, {}],
    "null": [None],
    "wrong type": [[1, [2]]],
    "no JSON": [raw(b"json/plain", b"{")],
    "JSON in another alphabet": [raw(b"json/plain", b"\xff\xfe{\x00")],
    **{name: [payload] for name, payload in ENCODINGS.items()},
}


WITHOUT_INPUT = {
    UnknownGoalWorkflow,
    SweepLeasesWorkflow,
    SweepGitHubDeliveriesWorkflow,
    SweepGitHubSchedulesWorkflow,
}


def definition(of: type) -> Any:
    return workflow._Definition.must_from_class(of)


def named(of: type) -> str:
    return str(definition(of).name)


def inputs_of(handler: Any) -> dict[str, list[object]]:
    """What is malformed for this one: no input is right where none is taken."""
    return {what: given for what, given in MALFORMED.items() if handler.arg_types or what != "none"}


async def refused(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause


async def harass(handle: WorkflowHandle[Any, Any], of: type) -> int:
    """Send everything malformed to every handler; how many there were."""
    known = definition(of)
    for name, signal in known.signals.items():
        for given in inputs_of(signal).values():
            await handle.signal(name, args=given)
    for name, update in known.updates.items():
        for what, given in inputs_of(update).items():
            with pytest.raises(WorkflowUpdateFailedError) as refusal:
                await handle.execute_update(name, args=given)
            assert isinstance(refusal.value.cause, ApplicationError), (name, what)
            assert refusal.value.cause.type == ErrorType.INVALID_REQUEST, (name, what)
    for name, query in known.queries.items():
        assert not query.arg_types, "send this one malformed inputs, and expect refusals"
        answer = await handle.query(name)
        for what, given in inputs_of(query).items():
            # One that takes no input ignores, or refuses, what it is given all the same.
            with contextlib.suppress(WorkflowQueryFailedError):
                assert await handle.query(name, args=given) == answer, (name, what)
    return len(known.signals) + len(known.updates) + len(known.queries)


async def unharmed(handle: WorkflowHandle[Any, Any]) -> bool:
    history = await handle.fetch_history()
    return not any(event.HasField("workflow_task_failed_event_attributes") for event in history.events)


@contextlib.asynccontextmanager
async def goals_only(client: Client) -> AsyncGenerator[None]:
    """Goals begin here, and wait for their first step for ever."""
    async with Worker(client, task_queue=TaskQueue.GOALS, workflows=WORKFLOWS, interceptors=[]):
        yield


BY_NAME: Final = {definition(of).name: of for of in WORKFLOWS}
NOT_TYPED: Final = (GITHUB_JOB,)
"""Made as goals are, and started by the gateway alone: in no list of what people can ask for."""
STARTED_ALONE: Final = [
    *((BY_NAME[goal.name], goal.example) for goal in (*GOALS, *NOT_TYPED)),
    (StackLockWorkflow, StackLine()),
    (GitHubInstallationWorkflow, InstallationState(number=7)),
    (RepositoryHealthWorkflow, HealthState(repository="acme/shop")),
]
"""Every workflow with handlers but the approval, which a goal starts."""


async def test_every_goal_has_a_workflow_of_its_name() -> None:
    assert {goal.name for goal in (*GOALS, *NOT_TYPED)} == {
        name for name, of in BY_NAME.items() if issubclass(of, Goal)
    }


async def test_no_workflow_with_handlers_is_left_out() -> None:
    left_out = {one for one in WORKFLOWS if one not in dict(STARTED_ALONE)}
    silent = {
        *(ApprovalNoticeWorkflow, ParkedNoticeWorkflow, UnknownGoalWorkflow),
        *(LeaseNoticeWorkflow, OpinionWorkflow, SweepLeasesWorkflow, FindingsNoticeWorkflow, AnswerNoticeWorkflow),
        *(GitHubDeliveryWorkflow, SweepGitHubDeliveriesWorkflow),
        *(GitHubScheduledWorkflow, SweepGitHubSchedulesWorkflow),
    }
    assert left_out == {ApprovalWorkflow, LeaseWorkflow, *silent}
    for one in silent:
        known = definition(one)
        assert not {**known.signals, **known.updates, **known.queries}


@pytest.mark.parametrize(("of", "request_"), STARTED_ALONE, ids=[named(of) for of, _ in STARTED_ALONE])
async def test_no_malformed_input_of_a_handler_harms_a_workflow(
    client: Client, goal_id: str, of: type, request_: object
) -> None:
    async with goals_only(client):
        handle = await client.start_workflow(named(of), request_, id=goal_id, task_queue=TaskQueue.GOALS)
        assert await harass(handle, of) >= (3 if issubclass(of, Goal) else 2)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        described = await handle.describe()
    assert described.status is WorkflowExecutionStatus.CANCELED
    assert await unharmed(handle)


async def test_a_lease_that_was_harassed_ends_at_its_time_all_the_same(client: Client) -> None:
    place = Place(client)
    place.machines.there.add(place.mark)
    async with place.at_work():
        lease = await place.hold(place.request())
        assert await harass(lease, LeaseWorkflow) == 7
        soon = datetime.now(UTC) + timedelta(seconds=5)
        await lease.execute_update("extend", ExtendLease(ends_at=soon))
        assert (await lease.result()).why == "its time was over"
    assert place.machines.there == set()
    assert await unharmed(lease)


async def test_an_approval_that_was_harassed_expires_all_the_same(client: Client, tmp_path: Path) -> None:
    house = House(client, tmp_path)
    request = house.request(approve_within=timedelta(seconds=6))
    async with house.workers():
        asking = await house.ask(Ask(request=request, step_ids=[f"{ACTION}/1"]))
        approval = client.get_workflow_handle(await house.approval_of(asking))
        assert await harass(approval, ApprovalWorkflow) == 5
        asked = await asking.result()
    assert asked.approval is not None
    assert asked.approval.outcome is State.EXPIRED
    assert await unharmed(approval)


async def test_a_goal_and_its_approval_that_were_harassed_go_on(client: Client, tmp_path: Path) -> None:
    house = House(client, tmp_path)
    async with house.workers():
        goal = await house.start()
        approval = await house.approval_of(goal)
        for name in ("approval_waits", "superseded"):
            to = goal if name == "approval_waits" else client.get_workflow_handle(approval)
            for given in MALFORMED.values():
                await to.signal(name, args=given)
        await house.decide(approval, "alice")
        await house.decide(approval, "bob")
        assert (await goal.result()).outcome == "completed"
        other = await house.start()
        rejected = await house.approval_of(other)
        await client.get_workflow_handle(rejected).signal("superseded", args=[])
        await house.decide(rejected, "alice", verdict=Verdict.REJECT)
        assert (await other.result()).outcome == "rejected"
    assert house.remover.removed == ["old"]


@pytest.mark.parametrize("of", [one for one in WORKFLOWS if one not in WITHOUT_INPUT], ids=named)
async def test_a_malformed_start_ends_at_once_with_one_line(client: Client, goal_id: str, of: type) -> None:
    async def start(what: str, given: list[object]) -> tuple[str, ApplicationError, bool]:
        of_it = f"{goal_id}/{what}"
        handle = await client.start_workflow(named(of), args=given, id=of_it, task_queue=TaskQueue.GOALS)
        return what, await refused(handle), await unharmed(handle)

    async with goals_only(client):
        ended = await asyncio.gather(*(start(what, given) for what, given in MALFORMED.items()))
    for what, error, at_once in ended:
        assert (error.type, error.non_retryable) == (ErrorType.INVALID_REQUEST, True), what
        assert error.message, what
        assert "\n" not in error.message, what
        assert at_once, what


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("encrypted", ["'binary/encrypted'", "--codec-endpoint", "banksman run"]),
        ("json/protobuf", ["'json/protobuf'", "plain JSON", "banksman run"]),
        ("no encoding", ["without an encoding", "plain JSON"]),
    ],
)
async def test_an_unknown_encoding_is_named_with_the_way_out(
    client: Client, goal_id: str, encoding: str, says: list[str]
) -> None:
    async with goals_only(client):
        given = ENCODINGS[encoding]
        handle = await client.start_workflow("ReadFile", given, id=goal_id, task_queue=TaskQueue.GOALS)
        error = await refused(handle)
    assert all(one in error.message for one in says), error.message


async def test_a_step_whose_input_cannot_be_read_is_not_tried_again(client: Client, steps: Steps, goal_id: str) -> None:
    async def ended(name: str, given: RawValue) -> Ended:
        return await client.execute_workflow(
            "TestRawStep", given, id=f"{goal_id}/{name}", task_queue=TaskQueue.GOALS, result_type=Ended
        )

    async with workers(client, steps, also=[RawStepWorkflow]):
        told = await asyncio.gather(*(ended(name, given) for name, given in ENCODINGS.items()))
    for name, one in zip(ENCODINGS, told, strict=True):
        assert (one.type, one.final) == (ErrorType.INVALID_REQUEST, True), name
        assert "Failed decoding" not in str(one.message), name
    assert steps.calls == []


@pytest.fixture
def encrypting(client: Client) -> Client:
    """Of an environment that encrypts."""
    config = client.config()
    config["plugins"] = [banksman_plugin(EncryptionCodec(ring("a"), client.namespace))]
    return Client(**config)


async def test_a_signal_that_does_not_decrypt_is_dropped(
    client: Client, encrypting: Client, steps: Steps, goal_id: str
) -> None:
    request = ReadFileInput(repository="acme/shop", path="README.md")
    async with goals_only(encrypting):
        handle = await encrypting.start_workflow(
            "ReadFile", request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=ReadFileResult
        )
        for payload in ENCODINGS.values():
            await client.get_workflow_handle(goal_id).signal("approval_waits", payload)
        assert (await handle.query("status", result_type=GoalStatus)).step is not None
    async with workers(encrypting, steps):
        assert (await handle.result()).outcome == "completed"
    assert await unharmed(handle)


@pytest.mark.parametrize("encoding", ["encrypted", "json/protobuf", "no encoding"])
async def test_where_all_is_encrypted_what_does_not_decrypt_ends_goal_and_step(
    client: Client, encrypting: Client, steps: Steps, goal_id: str, encoding: str
) -> None:
    async with goals_only(encrypting):
        given = ENCODINGS[encoding]
        await client.start_workflow("ReadFile", given, id=goal_id, task_queue=TaskQueue.GOALS)
        error = await refused(encrypting.get_workflow_handle(goal_id))
    assert error.type == ErrorType.INVALID_REQUEST
    says = "does not decrypt with key 'a'" if encoding == "encrypted" else "came in unencrypted"
    assert says in error.message


@pytest.mark.parametrize(
    "header",
    [
        Payload(metadata={"encoding": b"nonsense"}, data=b"x"),
        Payload(metadata={"encoding": b"json/plain"}, data=b'{"traceparent": 5}'),
        Payload(metadata={"encoding": b"json/plain"}, data=b'"x"'),
        Payload(),
    ],
)
async def test_a_trace_that_cannot_be_read_harms_nothing(
    client: Client, steps: Steps, goal_id: str, header: Payload
) -> None:
    request = ReadFileInput(repository="acme/shop", path="README.md")
    tracing = TracingInterceptor(TracerProvider().get_tracer("test"))
    worker = Worker(
        client,
        task_queue=TaskQueue.GOALS,
        workflows=WORKFLOWS,
        interceptors=[tracing],
    )
    async with worker:
        handle = await client.start_workflow("ReadFile", request, id=goal_id, task_queue=TaskQueue.GOALS)
        [name] = await data_converter().encode(["approval/x"])
        signal = SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=goal_id),
            signal_name="approval_waits",
            request_id=secrets.token_hex(8),
        )
        signal.input.payloads.append(name)
        signal.header.fields["_tracer-data"].CopyFrom(header)
        await client.workflow_service.signal_workflow_execution(signal)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert await unharmed(handle)
