"""The runs that are recorded and replayed: for each goal the ways it can go."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.github.contracts import BranchSeen
from activities.guard.error_types import ErrorType, application_error
from activities.queues import TaskQueue
from tests.workflows.scripted import CONTENT, OPENED, RAN, Steps
from workflows.contracts import GoalInput, GoalStatus, Resume, State
from workflows.parked_contracts import PARKED_NOTICE
from workflows.repository.goals import (
    DeleteBranchInput,
    FileEdit,
    OpenPullRequestInput,
    ReadFileInput,
    RunInSandboxInput,
)

REQUEST = ReadFileInput(repository="acme/shop", path="README.md", ref="main")
_GIVEN_UP = frozenset({RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED})
"""How the server ends a query that no worker answered in time."""
COMMAND = RunInSandboxInput(repository="acme/shop", command=("make", "test"))


@dataclass(frozen=True)
class Scenario:
    """One recorded run.

    Attributes:
        told: Whether people are told that it is parked; the notice's history is then kept too.
    """

    workflow: str
    name: str
    steps: Callable[[], Steps]
    drive: Callable[[WorkflowHandle[Any, Any]], Awaitable[object]]
    request: GoalInput = REQUEST
    told: bool = False

    def recorded(self) -> set[tuple[str, str]]:
        """The histories that are kept of it, by folder and name."""
        return {(self.workflow, self.name)} | ({(PARKED_NOTICE, self.name)} if self.told else set[tuple[str, str]]())


async def _to_its_end(handle: WorkflowHandle[Any, Any]) -> None:
    try:
        await handle.result()
    except WorkflowFailureError:
        return


async def _cancelled(handle: WorkflowHandle[Any, Any]) -> None:
    await handle.query("status")
    await handle.cancel()
    await _to_its_end(handle)


async def _resumed(handle: WorkflowHandle[Any, Any]) -> None:
    await until_parked(handle)
    await handle.execute_update("resume", Resume(note="unsealed"))
    await _to_its_end(handle)


async def until_parked(handle: WorkflowHandle[Any, Any], *, patience: float = 20.0) -> GoalStatus:
    """Wait until the goal waits for a person. Where many wait, each asks less and less often: it was all the load."""
    pause = 0.05
    async with asyncio.timeout(patience):
        while True:
            try:
                status = await handle.query("status", result_type=GoalStatus)
            except RPCError as error:
                if error.status not in _GIVEN_UP:
                    raise
            else:
                if status.state is State.PARKED:
                    return status
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)


def exhausted() -> Steps:
    """An outage whose next attempt would come after all time for the step is used up; then the provider is back."""
    gone = application_error(ErrorType.UNAVAILABLE, "Vault is sealed", retry_after=timedelta(days=1))
    return Steps(answers=[gone, CONTENT])


def _failing(error: ErrorType, message: str) -> Callable[[], Steps]:
    return lambda: Steps(answers=[application_error(error, message)])


READS = (
    Scenario("ReadFile", "completed", Steps, _to_its_end),
    Scenario("ReadFile", "denied", _failing(ErrorType.POLICY_DENIED, "acme/shop is not to be read"), _to_its_end),
    Scenario("ReadFile", "failed", _failing(ErrorType.NOT_FOUND, "there is no such file"), _to_its_end),
    Scenario("ReadFile", "cancelled", _failing(ErrorType.UNAVAILABLE, "Vault is sealed"), _cancelled),
    Scenario("ReadFile", "parked-and-resumed", exhausted, _resumed),
    Scenario("ReadFile", "parked-for-a-while-and-resumed", exhausted, _resumed),
    Scenario("ReadFile", "parked-told-and-resumed", exhausted, _resumed, told=True),
    Scenario("ReadFile", "parked-told-and-cancelled", exhausted, _cancelled, told=True),
    Scenario(
        "ReadFile",
        "outage-waited-out",
        lambda: Steps(answers=[application_error(ErrorType.UNAVAILABLE, "Vault is sealed"), CONTENT]),
        _to_its_end,
    ),
)


RUNS = (
    ("completed", Steps),
    ("completed-and-would-stop-first", Steps),
    ("denied", lambda: Steps(ran=[application_error(ErrorType.POLICY_DENIED, "no command is to be run")])),
    ("failed", lambda: Steps(fetched=[application_error(ErrorType.NOT_FOUND, "there is no such branch")])),
    (
        "sandbox-replaced",
        lambda: Steps(ran=[application_error(ErrorType.SANDBOX_UNAVAILABLE, "the engine is gone"), RAN]),
    ),
)
DELETIONS = (
    ("nothing-there", lambda: Steps(seen=[BranchSeen(head=None)])),
    ("nobody-may-approve", lambda: Steps(rules=[application_error(ErrorType.POLICY_DENIED, "no rule names it")])),
)
DELETION = DeleteBranchInput(repository="acme/shop", branch="old")
CHANGES = (
    ("completed", Steps),
    ("denied", lambda: Steps(committed=[application_error(ErrorType.POLICY_DENIED, "nothing is to be written")])),
    ("denied-half-way", lambda: Steps(opened=[application_error(ErrorType.POLICY_DENIED, "no pull requests")])),
    ("failed", lambda: Steps(committed=[application_error(ErrorType.CONFLICT, "the branch is somebody else's")])),
    (
        "outage-waited-out",
        lambda: Steps(opened=[application_error(ErrorType.UNAVAILABLE, "Vault is sealed"), OPENED]),
    ),
)
CHANGE = OpenPullRequestInput(
    repository="acme/shop",
    title="Say hello",
    files=(FileEdit(path="HELLO.md", content="Hello.\n"), FileEdit(path="OLD.md", delete=True)),
)
SCENARIOS = (
    *READS,
    *(Scenario("DeleteBranch", name, steps, _to_its_end, DELETION) for name, steps in DELETIONS),
    *(Scenario("OpenPullRequest", name, steps, _to_its_end, CHANGE) for name, steps in CHANGES),
    *(Scenario("RunInSandbox", name, steps, _to_its_end, COMMAND) for name, steps in RUNS),
)


async def start(client: Client, scenario: Scenario) -> WorkflowHandle[Any, Any]:
    """Start a scenario's goal under its own id."""
    return await client.start_workflow(
        scenario.workflow, scenario.request, id=f"{scenario.workflow}/{scenario.name}", task_queue=TaskQueue.GOALS
    )
