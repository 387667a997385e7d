"""A deployment whose way back fails waits for a person, and the commands that it prints do what it says is left.

They are taken from what people read, and run as they stand there.
"""

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

import httpx
import pytest
from temporalio.client import WorkflowHandle

from deploy.local.demo.deployment import Deployment, Followed
from deploy.local.demo.features import next_feature, with_a_page_that_fails
from deploy.local.demo.pull_requests import propose, withdraw
from deploy.local.demo.storefront import ENVIRONMENT
from deploy.local.example import SERVICE_REPOSITORY
from tests.stack.approving import run_approved
from tests.stack.deploying import Shop, asked, services, until
from tests.stack.running import Running
from tests.stack.test_stacks import FIRST_TIME
from workflows.contracts import State
from workflows.deploy_feature.goals import DeployNewFeatureResult, DeployStatus

pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(FIRST_TIME + 900)]

_NO_COMMIT: Final = {
    "kind": "status",
    "status": 404,
    "method": "GET",
    "path": f"^/repos/{SERVICE_REPOSITORY}/commits/[0-9a-f]{{40}}$",
    "times": 50,
}
"""GitHub no longer knows the commit that is gone back to."""
_PATIENCE: Final = 240.0


def test_the_commands_of_a_parked_way_back_do_what_is_left(stack: Running, goal_id: str) -> None:
    with services(stack):
        followed = asyncio.run(_taken_back_by_hand(stack, goal_id))
    result = followed.result
    assert (result.outcome, result.merged, result.commands_left) == (State.UNDONE, None, ()), result
    assert followed.questions == 1, "nothing was left that people would be asked about"
    assert all(one.undone for one in (*result.environments, *result.migrations))
    assert any("resumed by carol: by hand" in one for one in result.record)


async def _taken_back_by_hand(stack: Running, goal_id: str) -> Followed:
    shop = await Shop.of(stack)
    files, before = await shop.storefront.files(), await shop.storefront.declared()
    change = next_feature(files)
    proposed = await propose(
        shop.environment, SERVICE_REPOSITORY, change.title, with_a_page_that_fails(change, files).files
    )
    goal = shop.client.get_workflow_handle(asked(proposed).business_key(), result_type=DeployNewFeatureResult)

    async def lose_the_commit(name: str) -> None:
        del name
        await asyncio.to_thread(lambda: stack.fault(**_NO_COMMIT))

    hooks = {f"verify {ENVIRONMENT}": lose_the_commit}
    deployment = Deployment(shop.environment, asked(proposed), approve=True, hooks=hooks)
    following = asyncio.create_task(deployment.run())
    try:
        told = await _parked(goal)
        await asyncio.to_thread(stack.forget_requests)
        assert (await shop.storefront.declared()).release != before.release
        for number, command in enumerate(told):
            await asyncio.to_thread(_run, stack, command, f"{goal_id}-{number}")
        assert (await shop.storefront.declared()).release == before.release

        async def serves_as_before() -> bool:
            seen = await shop.storefront.visits(change.sees)
            return (seen.well, seen.new) == (seen.all, 0)

        # What is rolled back to is watched like any release before it gets all visitors.
        await until(serves_as_before, what="all visitors see what was there before", seconds=120)
        await goal.execute_update("retry", {"person": "carol", "reason": "by hand", "step": _FAILED})
        return await following
    finally:
        following.cancel()
        await asyncio.to_thread(stack.forget_requests)
        await withdraw(shop.environment, SERVICE_REPOSITORY, proposed)


_FAILED: Final = f"preview undo {ENVIRONMENT}"


async def _parked(goal: WorkflowHandle[object, DeployNewFeatureResult]) -> Sequence[str]:
    """The commands that people read there."""
    status = DeployStatus(state=State.RUNNING)

    async def waits() -> bool:
        nonlocal status
        status = await goal.query("status", result_type=DeployStatus)
        return status.state is State.PARKED and "Left: " in str(status.waiting_for)

    await until(waits, what="it is parked", seconds=_PATIENCE)
    said, _, commands = str(status.waiting_for).partition(" Left: ")
    assert said.startswith(f"taking back {ENVIRONMENT}")
    return commands.split("; ")


def _run(stack: Running, command: str, goal_id: str) -> None:
    """As a person does who pastes it."""
    program, *words = shlex.split(command)
    match program, words:
        case "banksman", ["run", "RollBackStack" as goal, "--input", given]:
            done = run_approved(stack, goal, json.loads(given), goal_id=goal_id)
            assert done.returncode == 0, done.stdout + done.stderr
        case "neonctl", ["branches", "restore", branch, back, "--project-id", project, "--preserve-under-name", kept]:
            _restore(stack, project, branch, {"source_branch_id": back, "preserve_under_name": kept})
        case _:
            pytest.fail(f"nobody knows how to run {command!r}")


def _restore(stack: Running, project: str, branch: str, body: Mapping[str, str]) -> None:
    """What `neonctl branches restore` does: it looks the names up, and asks Neon for exactly this."""
    config = json.loads((stack.home / "twins" / "neon.json").read_text())
    url = f"{stack.state['twins']['neon']['url']}/projects/{project}/branches"
    key = {"Authorization": f"Bearer {config['keys'][0]}"}
    named = {one["name"]: one["id"] for one in httpx.get(url, headers=key, timeout=60).json()["branches"]}
    asked_for = {**body, "source_branch_id": named[body["source_branch_id"]]}
    answer = httpx.post(f"{url}/{named[branch]}/restore", headers=key, json=asked_for, timeout=60)
    assert answer.is_success, answer.text
