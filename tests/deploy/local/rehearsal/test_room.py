"""How a rehearsed goal ends is told, on the real dev server with scripted steps: where it ended, and why."""

from pathlib import Path

import pytest
from pydantic import JsonValue
from temporalio.client import Client

from activities.guard.error_types import ErrorType, application_error
from deploy.local.rehearsal.order import Found, Order
from deploy.local.rehearsal.room import RehearsedGoal
from deploy.local.state import StackFolder
from tests.workflows.scripted import Steps, workers

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUEST: JsonValue = {"repository": "acme/shop", "title": "T", "files": [{"path": "a", "content": "x"}]}


@pytest.fixture
def steps() -> Steps:
    return Steps()


async def rehearsed(client: Client, steps: Steps, folder: Path, *, patience: float = 60) -> Found:
    order = Order(
        goal="OpenPullRequest", request=REQUEST, workflow_id=f"rehearsed-{folder.name}-{id(steps)}", patience=patience
    )
    async with workers(client, steps):
        return await RehearsedGoal(client, order, StackFolder(folder)).run()


async def test_one_that_completes_tells_what_it_did(client: Client, steps: Steps, tmp_path: Path) -> None:
    found = await rehearsed(client, steps, tmp_path)
    assert (found.outcome, found.why, found.step) == ("completed", "", "")
    assert [one.action for one in found.effects] == ["github.commit_files", "github.open_pull_request"]


async def test_one_that_fails_tells_at_which_step_and_why(client: Client, steps: Steps, tmp_path: Path) -> None:
    steps.opened = [application_error(ErrorType.CONFLICT, "there is one already")]
    found = await rehearsed(client, steps, tmp_path)
    assert (found.outcome, found.why, found.step) == (
        "failed",
        "there is one already",
        "Open a pull request on acme/shop: T",
    )
    assert [one.action for one in found.effects] == ["github.commit_files", "github.open_pull_request"]


async def test_one_that_the_policy_refuses_tells_so(client: Client, steps: Steps, tmp_path: Path) -> None:
    steps.committed = [application_error(ErrorType.POLICY_DENIED, "nothing is to be written")]
    found = await rehearsed(client, steps, tmp_path)
    assert (found.outcome, found.why) == ("denied", "nothing is to be written")
    assert found.step.startswith("Commit to ")


async def test_one_that_is_not_over_in_time_is_given_up(client: Client, steps: Steps, tmp_path: Path) -> None:
    steps.committed = [application_error(ErrorType.UNAVAILABLE, "GitHub is down")]
    found = await rehearsed(client, steps, tmp_path, patience=3)
    assert (found.outcome, found.why) == ("failed", "it was not over after 3 s")
