"""How a rehearsed goal ends is told, on the real dev server with scripted steps: where it ended, and why."""

from pathlib import Path

import pytest
from pydantic import JsonValue
from temporalio.client import Client

from activities.guard.error_types import ErrorType, application_error
from deploy.local.rehearsal.order import Found, Order, OrderedGoal
from deploy.local.rehearsal.room import RehearsedGoal, rehearse_in_order
from deploy.local.state import StackFolder
from tests.workflows.scripted import Steps, workers

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUEST: JsonValue = {"repository": "acme/shop", "title": "T", "files": [{"path": "a", "content": "x"}]}


@pytest.fixture
def steps() -> Steps:
    return Steps()


async def rehearsed(client: Client, steps: Steps, folder: Path, *, patience: float = 60) -> Found:
    goal = OrderedGoal(goal="OpenPullRequest", request=REQUEST, workflow_id=f"rehearsed-{folder.name}-{id(steps)}")
    async with workers(client, steps):
        return await RehearsedGoal(client, goal, StackFolder(folder), patience=patience).run()


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


def plan(folder: Path, steps: Steps) -> Order:
    goals = [
        OrderedGoal(goal="OpenPullRequest", request=REQUEST, workflow_id=f"plan-{folder.name}-{id(steps)}/act/{name}")
        for name in ("first", "second")
    ]
    return Order(goals=tuple(goals), patience=60)


async def test_goals_of_a_plan_run_in_order_and_each_has_its_own_effects(
    client: Client, steps: Steps, tmp_path: Path
) -> None:
    async with workers(client, steps):
        found = await rehearse_in_order(client, plan(tmp_path, steps), StackFolder(tmp_path))
    assert [one.outcome for one in found] == ["completed", "completed"]
    assert [len(one.effects) for one in found] == [2, 2]
    assert len(steps.pulls) == 2


async def test_what_comes_after_a_goal_that_does_not_complete_is_not_begun(
    client: Client, steps: Steps, tmp_path: Path
) -> None:
    steps.committed = [application_error(ErrorType.POLICY_DENIED, "nothing is to be written")]
    async with workers(client, steps):
        found = await rehearse_in_order(client, plan(tmp_path, steps), StackFolder(tmp_path))
    assert [(one.outcome, one.why) for one in found] == [("denied", "nothing is to be written")]
    assert (len(steps.commits), steps.pulls) == (1, [])
