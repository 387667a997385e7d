"""Fixtures of the workflow tests."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from tests.conftest import BIN
from tests.workflows.parking import ClockWorkflow
from tests.workflows.scripted import Steps
from workflows.contracts import SEARCH_ATTRIBUTES
from workflows.plugin import banksman_plugin


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def goal_id() -> str:
    return f"test-{uuid.uuid4()}"


@pytest_asyncio.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock is skipped ahead while somebody waits for a workflow."""
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(BIN / "temporal-test-server"), plugins=[banksman_plugin()]
    )
    async with environment:
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes={key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in SEARCH_ATTRIBUTES},
            )
        )
        client, queue = environment.client, "clock"
        async with Worker(client, task_queue=queue, workflows=[ClockWorkflow]):
            clock = await client.start_workflow("TestClock", id=queue, task_queue=queue)
            yield environment
            await clock.terminate()
