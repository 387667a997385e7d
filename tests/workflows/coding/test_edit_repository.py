"""The goal `EditRepository` on the real dev server, its steps scripted; with real containers in `tests/stack`."""

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType
from activities.queues import TaskQueue
from activities.sandbox.sessions import GoalsOnServer, Owner
from tests.workflows.coding.scenarios import SCENARIOS
from workflows.coding.goals import EDIT_REPOSITORY, EditRepositoryResult
from workflows.contracts import State

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def ended(client: Client, name: str) -> EditRepositoryResult:
    (played,) = (one for one in SCENARIOS if (one.goal, one.name) == (EDIT_REPOSITORY, name))
    return await (await played.run(client)).result()


async def test_every_call_is_made_and_the_change_is_kept(client: Client) -> None:
    result = await ended(client, "completed")
    assert (result.outcome, result.commit, result.reason) == (State.COMPLETED, "c" * 40, None)
    assert [(one.tool, one.on) for one in result.calls] == [
        ("list", "the root"),
        ("read", "README.md"),
        ("search", "[Ss]hop"),
        ("write", "docs/hello.md"),
        ("run", "git status --short"),
    ]
    assert [one.told.splitlines()[0] for one in result.calls[:4]] == [
        "docs/", "# Shop", "README.md:1: # Shop", "created"
    ]  # fmt: skip
    ran = result.calls[-1]
    assert (ran.exit_code, ran.ended, ran.refused) == (1, "exit", None)
    assert "characters left out" in ran.told
    assert [(one.path, one.added) for one in result.files] == [("docs/hello.md", 1)]
    assert (result.diff, result.left_out) == ("diff --git …", ("'Jenkinsfile' is protected",))
    assert result.patch is not None


async def test_a_call_that_is_refused_is_the_last_one_and_nothing_is_kept(client: Client) -> None:
    result = await ended(client, "refused")
    assert (result.outcome, len(result.calls), result.patch) == (State.REFUSED, 4, None)
    assert result.reason == (
        "Call 4 of 5 (write) was refused, so that nothing is kept: 'docs/hello.md' may not be written; "
        "allowed is src/**"
    )


async def test_a_refusal_by_the_guard_is_a_result(client: Client) -> None:
    result = await ended(client, "denied")
    assert (result.outcome, result.reason) == (State.DENIED, "no command is to be run")


async def test_a_session_that_is_lost_is_begun_anew_whole(client: Client) -> None:
    result = await ended(client, "session-lost-and-begun-anew")
    assert (result.outcome, len(result.calls)) == (State.COMPLETED, 5)


async def test_the_worker_that_holds_a_session_can_tell_whether_its_goal_runs(client: Client) -> None:
    goals = GoalsOnServer(client)
    handle = await client.start_workflow(
        "EditRepository", EDIT_REPOSITORY.example, id="edit-repository/nobody-works", task_queue=TaskQueue.GOALS
    )
    owner = Owner(workflow_id=handle.id, run_id=handle.first_execution_run_id or "")
    assert await goals.runs(owner)
    await handle.terminate("the test ends it")
    assert not await goals.runs(owner)
    assert not await goals.runs(Owner(workflow_id="edit-repository/never-was", run_id=owner.run_id))


async def test_after_three_lost_sessions_the_goal_fails_and_says_why(client: Client) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await ended(client, "three-sessions-lost")
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == ErrorType.SANDBOX_UNAVAILABLE
    assert "3 sessions in a row were lost: the session is lost: its container ended" in caught.value.cause.message
