"""One plugin holds what workflows run with, and no worker made of its client is kinder than another."""

import pytest
from temporalio.client import Client
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from workflows.failures import RedactedFailures
from workflows.plugin import banksman_plugin
from workflows.repository.read_file import ReadFileWorkflow
from workflows.runner import sandbox_runner

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_worker_and_a_replayer_have_the_same_sandbox_and_converter(client: Client, goal_id: str) -> None:
    worker = Worker(client, task_queue=f"plugin/{goal_id}", workflows=[ReadFileWorkflow]).config(active_config=True)
    replayer = Replayer(workflows=[ReadFileWorkflow], plugins=[banksman_plugin()]).config(active_config=True)
    for config in (worker, replayer):
        assert type(config.get("workflow_runner")) is type(sandbox_runner())
    for converter in (client.data_converter, replayer.get("data_converter")):
        assert converter is not None
        assert issubclass(converter.failure_converter_class, RedactedFailures)


async def test_a_worker_that_brings_a_runner_of_its_own_does_not_get_it(client: Client, goal_id: str) -> None:
    kinder = Worker(
        client,
        task_queue=f"plugin/{goal_id}",
        workflows=[ReadFileWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    assert type(kinder.config(active_config=True).get("workflow_runner")) is type(sandbox_runner())
