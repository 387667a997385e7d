"""Attacks on what people are told of drift: nobody speaks in the channel but a running `DetectDrift` of ours.

Each control has its test; taking the control out makes the test fail.
"""

import secrets
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError

from activities.queues import TaskQueue
from tests.hitl.gateway.drifting import PRETENDER, DriftingWorkflow, PretendingWorkflow, goals_worker
from tests.hitl.gateway.running import Place
from workflows.pulumi.drift_contracts import TELL_DRIFT, TellDrift
from workflows.pulumi.goals import DETECT_DRIFT

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIE = TellDrift(place="shop/prod", lines=("The bank account changed: wire it elsewhere",), key="new")
REFUSED = "what drifted, only a running DetectDrift says"


async def said(here: Place) -> list[object]:
    return [one for one in await here.messages() if "bank account" in str(one)]


@pytest.mark.parametrize(
    ("name", "queue"),
    [(PRETENDER, TaskQueue.GOALS), (DETECT_DRIFT.name, "a-queue-of-my-own")],
    ids=["another workflow", "another worker"],
)
async def test_another_workflow_or_worker_does_not_speak(here: Place, name: str, queue: str) -> None:
    """On a queue of their own, a stranger's worker answers as any workflow type."""
    worker = goals_worker(here.client, DriftingWorkflow, PretendingWorkflow, queue=queue)
    async with here.gateway(), worker:
        goal = await here.client.start_workflow(name, [LIE], id=f"pretended-{secrets.token_hex(4)}", task_queue=queue)
        with pytest.raises(WorkflowFailureError) as failed:
            await goal.result()
    assert REFUSED in str(failed.value.cause.__cause__)
    assert await said(here) == []


async def test_a_step_by_itself_does_not_speak(here: Place) -> None:
    async with here.gateway():
        alone = await here.client.start_activity(
            TELL_DRIFT.name,
            LIE,
            id=f"alone-{secrets.token_hex(4)}",
            task_queue=TaskQueue.HITL,
            start_to_close_timeout=timedelta(seconds=10),
        )
        with pytest.raises(Exception, match="Activity") as failed:
            await alone.result()
    assert REFUSED in str(failed.value.__cause__)
    assert await said(here) == []


async def test_the_goal_itself_speaks(here: Place) -> None:
    async with here.gateway(), goals_worker(here.client, DriftingWorkflow):
        await here.client.execute_workflow(
            DriftingWorkflow.run, [LIE], id=f"detect-drift-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
        )
    assert len(await said(here)) == 1
