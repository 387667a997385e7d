"""The goal `CopyRepository` on the real dev server, its step scripted."""

import pytest
from temporalio.client import Client

from activities.github.contracts import COPY_REPOSITORY
from activities.queues import TaskQueue
from tests.workflows.played import playing
from tests.workflows.repository.scenarios import AWAY, COPIED, DENIED
from workflows.repository.goals import CopyRepositoryInput, CopyRepositoryResult

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("answers", "outcome", "pack"),
    [([AWAY, COPIED], "completed", COPIED.pack), ([DENIED], "denied", None)],
)
async def test_a_copy_or_why_there_is_none(
    client: Client, goal_id: str, answers: list[object], outcome: str, pack: str | None
) -> None:
    async with playing(client, {COPY_REPOSITORY: answers}):
        result = await client.execute_workflow(
            "CopyRepository",
            CopyRepositoryInput(repository="acme/shop"),
            id=goal_id,
            task_queue=TaskQueue.GOALS,
            result_type=CopyRepositoryResult,
        )
    assert (result.outcome, result.pack) == (outcome, pack)
