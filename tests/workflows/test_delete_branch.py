"""The goal `DeleteBranch` on the real dev server, its steps scripted; with people and the twin in `tests/stack`."""

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.error_types import ErrorType
from activities.github_branches import BranchSeen
from activities.queues import TaskQueue
from tests.workflows.scripted import SEEN, Steps, workers
from workflows.contracts import DeleteBranchInput, DeleteBranchResult

on_the_server = pytest.mark.asyncio(loop_scope="session")


@on_the_server
@pytest.mark.parametrize(
    ("seen", "kind", "says"),
    [
        (SEEN.model_copy(update={"default": True}), ErrorType.INVALID_REQUEST, "is the default branch of 'acme/shop'"),
        (BranchSeen(head=None), ErrorType.NOT_FOUND, "nothing is to be deleted"),
    ],
)
async def test_what_cannot_be_deleted_is_refused_before_anybody_is_asked(
    client: Client, steps: Steps, goal_id: str, seen: BranchSeen, kind: ErrorType, says: str
) -> None:
    steps.seen = [seen]
    request = DeleteBranchInput(repository="acme/shop", branch="main")
    async with workers(client, steps):
        handle = await client.start_workflow(
            "DeleteBranch", request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=DeleteBranchResult
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, says in cause.message) == (kind, True)
    history = await handle.fetch_history()
    asked = "start_child_workflow_execution_initiated_event_attributes"
    assert not any(event.HasField(asked) for event in history.events)
