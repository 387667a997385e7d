"""The step that posts an approval, at its own level: once, and only for what waits."""

from dataclasses import replace

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import ActivityEnvironment

from connectors.errors import InvalidRequest
from tests.hitl.gateway.running import Place
from workers.gateway import Gateway
from workflows.approval.contracts import PostApproval, PostedApproval

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def post(here: Place, gateway: Gateway, speaker: str, about: str, *, first: bool = False) -> PostedApproval:
    """As the step of one workflow, about an approval."""
    plan = await here.client.get_workflow_handle(about).query("plan", result_type=str)
    request = PostApproval(view=await here.house.view(about), plan=plan, first=first)
    run = (await here.client.get_workflow_handle(speaker).describe()).run_id
    environment = ActivityEnvironment()
    environment.info = replace(
        environment.info, activity_type="hitl.post_approval", workflow_id=speaker, workflow_run_id=run
    )
    return await environment.run(gateway.steps.post_approval, request)


async def test_another_attempt_finds_the_message_that_the_first_one_posted(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, message = await here.asked(gateway)
        again = await post(here, gateway, approval, approval)
        await goal.terminate()
    assert (again.ts, again.requester) == (message["ts"], "slack:U0ERIN")
    assert len(await here.about(approval)) == 1


async def test_what_nobody_waits_for_is_not_posted(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await here.asked(gateway)
        await goal.cancel()
        with pytest.raises(WorkflowFailureError):
            await goal.result()
        with pytest.raises(InvalidRequest, match="waits for nobody any more"):
            await post(here, gateway, approval, approval, first=True)
    assert len(await here.about(approval)) == 1


async def test_another_goal_cannot_have_an_approval_posted(here: Place) -> None:
    async with here.running() as gateway:
        goal, approval, _ = await here.asked(gateway)
        other = await here.goal(gateway)
        with pytest.raises(InvalidRequest, match="only it says itself"):
            await post(here, gateway, other.id, approval)
        await goal.terminate()
        await other.terminate()
    assert len(await here.about(approval)) == 1
