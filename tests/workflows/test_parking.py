"""A parked goal goes on by itself, on a server whose clock is skipped ahead."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from activities.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.conftest import BIN
from tests.workflows.scripted import RAN, Steps, workers
from workflows.contracts import SEARCH_ATTRIBUTES, RunInSandboxInput, RunInSandboxResult
from workflows.converter import data_converter
from workflows.policies import pause_of_parked

REQUEST = RunInSandboxInput(repository="acme/shop", command=("make", "test"), timeout_seconds=60)


@pytest_asyncio.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(BIN / "temporal-test-server"), data_converter=data_converter()
    )
    async with environment:
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes={key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in SEARCH_ATTRIBUTES},
            )
        )
        yield environment


async def test_it_goes_on_when_its_cause_is_gone_and_nobody_came(skipping: WorkflowEnvironment, goal_id: str) -> None:
    gone = application_error(ErrorType.SANDBOX_UNAVAILABLE, "the engine is gone")
    steps = Steps(ran=[gone, gone, gone, gone, gone, gone, RAN])
    async with workers(skipping.client, steps):
        handle = await skipping.client.start_workflow(
            "RunInSandbox", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=RunInSandboxResult
        )
        assert (await handle.result()).exit_code == 0
        history = await handle.fetch_history()
    waited = [
        one.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for one in history.events
        if one.event_type == EventType.EVENT_TYPE_TIMER_STARTED
    ]
    assert waited == [pause_of_parked(0), pause_of_parked(1)]
    assert len(steps.commands) == 7


def test_it_waits_longer_each_time_up_to_hours() -> None:
    pauses = [pause_of_parked(times) for times in range(40)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1], pauses[-1]) == (timedelta(minutes=1), timedelta(minutes=2), timedelta(hours=4))
