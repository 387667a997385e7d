"""The goal `RunInSandbox` on the real dev server, its steps scripted; with real containers in `tests/stack`."""

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.replay.scenarios import until_parked
from tests.workflows.scripted import FETCHED, RAN, Steps, workers
from workflows.contracts import Resume
from workflows.repository.goals import RunInSandboxInput, RunInSandboxResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUEST = RunInSandboxInput(repository="acme/shop", command=("make", "test"), purpose="git", timeout_seconds=60)


async def run(client: Client, steps: Steps, goal_id: str, request: RunInSandboxInput = REQUEST) -> RunInSandboxResult:
    async with workers(client, steps):
        return await client.execute_workflow(
            "RunInSandbox", request, id=goal_id, task_queue=TaskQueue.GOALS, result_type=RunInSandboxResult
        )


async def test_the_command_gets_the_commit_and_no_token(client: Client, steps: Steps, goal_id: str) -> None:
    result = await run(client, steps, goal_id)
    assert (result.outcome, result.commit, result.exit_code, result.stdout) == ("completed", FETCHED.commit, 0, "ok\n")
    (asked,) = steps.commands
    assert asked.source is not None
    assert (asked.source.commit, asked.source.pack) == (FETCHED.commit, FETCHED.pack)
    assert (asked.command, asked.purpose, asked.timeout_seconds, asked.secrets) == (("make", "test"), "git", 60, None)


async def test_a_command_that_fails_is_not_tried_again(client: Client, steps: Steps, goal_id: str) -> None:
    steps.ran = [RAN.model_copy(update={"exit_code": 2, "stderr": "no rule"})]
    result = await run(client, steps, goal_id)
    assert (result.outcome, result.exit_code, result.stderr) == ("completed", 2, "no rule")
    assert result.reason is None
    assert len(steps.commands) == 1


@pytest.mark.parametrize(
    ("seconds", "way_out"),
    [
        (60, "mend it, or raise 'timeout_seconds' in the goal's input, 3600 at most."),
        (3600, "mend it, or run it in parts; 'timeout_seconds' cannot be more."),
    ],
)
async def test_a_command_that_never_ends_is_told_with_its_limit(
    client: Client, steps: Steps, goal_id: str, seconds: int, way_out: str
) -> None:
    steps.ran = [RAN.model_copy(update={"exit_code": 143, "ended": "timeout"})]
    result = await run(client, steps, goal_id, REQUEST.model_copy(update={"timeout_seconds": seconds}))
    assert (result.outcome, result.ended) == ("completed", "timeout")
    assert result.reason == f"The command did not end within its {seconds} seconds, so it was stopped: {way_out}"


async def test_a_sandbox_that_fails_is_replaced(client: Client, steps: Steps, goal_id: str) -> None:
    gone = application_error(ErrorType.SANDBOX_UNAVAILABLE, "the engine is gone")
    steps.ran = [gone, RAN]
    assert (await run(client, steps, goal_id)).exit_code == 0
    assert len(steps.commands) == 2


async def test_after_three_sandboxes_a_person_is_asked(client: Client, steps: Steps, goal_id: str) -> None:
    gone = application_error(ErrorType.SANDBOX_UNAVAILABLE, "the engine is gone")
    steps.ran = [gone, gone, gone, RAN]
    async with workers(client, steps):
        handle = await client.start_workflow(
            "RunInSandbox", REQUEST, id=goal_id, task_queue=TaskQueue.GOALS, result_type=RunInSandboxResult
        )
        status = await until_parked(handle, patience=40)
        assert status.waiting_for == "the engine is gone"
        await handle.execute_update("resume", Resume(note="started it"))
        assert (await handle.result()).exit_code == 0
    assert len(steps.commands) == 4


async def test_a_refusal_is_a_result(client: Client, steps: Steps, goal_id: str) -> None:
    steps.ran = [application_error(ErrorType.POLICY_DENIED, "no command is to be run")]
    result = await run(client, steps, goal_id)
    assert (result.outcome, result.reason) == ("denied", "no command is to be run")


async def test_a_commit_that_is_not_there_fails_before_anything_runs(
    client: Client, steps: Steps, goal_id: str
) -> None:
    steps.fetched = [application_error(ErrorType.NOT_FOUND, "there is no such branch")]
    with pytest.raises(WorkflowFailureError) as caught:
        await run(client, steps, goal_id)
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == ErrorType.NOT_FOUND
    assert steps.commands == []
