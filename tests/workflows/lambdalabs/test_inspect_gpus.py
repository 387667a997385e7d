"""The goal `InspectGpus`, with its real steps on the twin."""

import pytest
from temporalio.client import Client

from activities.queues import TaskQueue
from tests.workflows.lambdalabs.at_lambda import AtLambda
from workflows.lambdalabs.goals import INSPECT_GPUS, InspectGpusInput, InspectGpusResult


@pytest.mark.asyncio(loop_scope="session")
async def test_sizes_and_the_account_are_told(client: Client, lambda_labs: AtLambda, goal_id: str) -> None:
    async with lambda_labs.at_work(client):
        told: InspectGpusResult = await client.execute_workflow(
            INSPECT_GPUS.name,
            INSPECT_GPUS.example,
            id=goal_id,
            task_queue=TaskQueue.GOALS,
            result_type=InspectGpusResult,
        )
    assert [one.name for one in told.types] == ["gpu_1x_a10", "gpu_1x_gh200", "gpu_1x_h100_pcie", "gpu_8x_a100"]
    assert (told.machines, told.file_systems) == ((), ("us-west-1/datasets",))


def test_it_is_asked_for_by_its_sizes() -> None:
    assert INSPECT_GPUS.example.business_key() == "inspect-gpus"
    assert InspectGpusInput(types=("gpu_1x_a10",)).business_key() == "inspect-gpus/gpu_1x_a10"
