"""Who asked for a step of a plan: whoever asked for the plan, and nobody where another workflow says so."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.queues import TaskQueue
from hitl.approval.decision import UNVERIFIED
from hitl.policy.file import load_policy
from tests.hitl.gateway.running import Place
from tests.hitl.plan_language.planning import plan_of
from tests.security.pretended_plan import (
    AskWorkflow,
    FleetWorkflow,
    JobWorkflow,
    OtherAskingWorkflow,
    OtherJobWorkflow,
    OtherParentWorkflow,
    PlanWorkflow,
)
from tests.workflows.approval.approving import eventually
from workers.gateway import Gateway
from workflows.agent.goals import ASK_FOR, RUN_PLAN, AskForInput, RunPlanInput
from workflows.fleet.goals import RUN_FLEET, RunFleetInput
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput

pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def at_work(here: Place, queue: str) -> AsyncGenerator[None]:
    workflows = [
        *(PlanWorkflow, OtherParentWorkflow, AskWorkflow, OtherAskingWorkflow),
        *(JobWorkflow, OtherJobWorkflow, FleetWorkflow),
    ]
    async with Worker(here.client, task_queue=queue, workflows=workflows):
        yield


async def requester_of_step(
    here: Place, gateway: Gateway, plan: WorkflowHandle[Any, Any], *, step: str = "act/gone"
) -> str:
    child = here.client.get_workflow_handle(f"{plan.id}/{step}")

    async def there() -> bool:
        try:
            await child.describe()
        except RPCError:
            return False
        return True

    await eventually(there)
    described = await child.describe()
    people = load_policy(here.house.path).people
    found = await gateway.starts.requester_of(child.id, described.run_id or "", people)
    await child.terminate()
    await plan.terminate()
    return found


async def by_hand(here: Place, name: str, *, queue: str) -> WorkflowHandle[Any, Any]:
    return await here.client.start_workflow(
        name, RunPlanInput(plan=plan_of()), id=f"plan-{secrets.token_hex(4)}", task_queue=queue
    )


async def test_a_step_counts_for_who_asked_for_the_plan(here: Place) -> None:
    gateway = await here.made()
    request = RunPlanInput(plan=plan_of(title=secrets.token_hex(4)))
    async with at_work(here, TaskQueue.GOALS):
        plan = await gateway.starts.start(RUN_PLAN, request, identity="slack:U0ERIN")
        handle = here.client.get_workflow_handle(plan.workflow_id)
        assert await requester_of_step(here, gateway, handle) == "slack:U0ERIN"


async def test_a_step_of_a_plan_that_nobody_vouches_for_counts_for_nobody(here: Place) -> None:
    gateway = await here.made()
    async with at_work(here, TaskQueue.GOALS):
        plan = await by_hand(here, "RunPlan", queue=TaskQueue.GOALS)
        assert await requester_of_step(here, gateway, plan) == UNVERIFIED


@pytest.mark.parametrize(("name", "queue"), [("TestOtherParent", TaskQueue.GOALS), ("RunPlan", "of-my-own")])
async def test_a_parent_of_ones_own_with_a_statement_of_somebody_else_speaks_for_nobody(
    here: Place, name: str, queue: str
) -> None:
    gateway = await here.made()
    request = RunPlanInput(plan=plan_of(title=secrets.token_hex(4)))
    honest = await gateway.starts.start(RUN_PLAN, request, identity="slack:U0ERIN")
    handle = here.client.get_workflow_handle(honest.workflow_id)
    memo = dict(await (await handle.describe()).memo())
    await handle.terminate()
    async with at_work(here, queue):
        theirs = await here.client.start_workflow(name, request, id=honest.workflow_id, task_queue=queue, memo=memo)
        assert await requester_of_step(here, gateway, theirs) == UNVERIFIED


async def test_a_step_of_what_was_asked_in_words_counts_for_who_asked(here: Place) -> None:
    gateway = await here.made()
    request = AskForInput(text=f"Delete the branch {secrets.token_hex(4)} of acme/shop.")
    async with at_work(here, TaskQueue.GOALS):
        asked = await gateway.starts.start(ASK_FOR, request, identity="slack:U0ERIN")
        handle = here.client.get_workflow_handle(asked.workflow_id)
        assert await requester_of_step(here, gateway, handle, step="plan/act/gone") == "slack:U0ERIN"


@pytest.mark.parametrize("name", ["AskFor", "TestOtherAsking"])
async def test_what_nobody_vouches_for_or_is_no_asking_of_ours_counts_for_nobody(here: Place, name: str) -> None:
    gateway = await here.made()
    request = AskForInput(text=f"Delete the branch {secrets.token_hex(4)} of acme/shop.")
    honest = await gateway.starts.start(ASK_FOR, request, identity="slack:U0ERIN")
    handle = here.client.get_workflow_handle(honest.workflow_id)
    memo = dict(await (await handle.describe()).memo()) if name == "TestOtherAsking" else {}
    await handle.terminate()
    async with at_work(here, TaskQueue.GOALS):
        theirs = await here.client.start_workflow(
            name, request, id=honest.workflow_id, task_queue=TaskQueue.GOALS, memo=memo
        )
        assert await requester_of_step(here, gateway, theirs, step="plan/act/gone") == UNVERIFIED


def job(**changes: object) -> GitHubJobInput:
    """Another delivery each time."""
    return GITHUB_JOB.example.model_copy(update={"delivery": secrets.token_hex(8), **changes})  # pyright: ignore[reportReturnType] - the example is one


async def test_the_goal_of_a_job_counts_for_who_asked_for_it_on_github(here: Place) -> None:
    gateway = await here.made()
    async with at_work(here, TaskQueue.GOALS):
        asked = await gateway.starts.start(GITHUB_JOB, job(), identity="github:erin")
        handle = here.client.get_workflow_handle(asked.workflow_id)
        assert await requester_of_step(here, gateway, handle) == "github:erin"


async def test_a_goal_of_a_fleet_counts_for_who_asked_for_the_fleet_in_whichever_of_its_runs(here: Place) -> None:
    gateway = await here.made()
    request = RunFleetInput(goal="ReadFile", inputs={"path": secrets.token_hex(4)}, repositories=("acme/*",))
    async with at_work(here, TaskQueue.GOALS):
        asked = await gateway.starts.start(RUN_FLEET, request, identity="slack:U0ERIN")
        handle = here.client.get_workflow_handle(asked.workflow_id)
        assert await requester_of_step(here, gateway, handle) == "slack:U0ERIN"


async def test_a_fleet_that_somebody_starts_by_hand_speaks_for_nobody_in_the_middle_neither(here: Place) -> None:
    gateway = await here.made()
    request = RunFleetInput(goal="ReadFile", inputs={"path": secrets.token_hex(4)}, repositories=("acme/*",))
    honest = await gateway.starts.start(RUN_FLEET, request, identity="slack:U0ERIN")
    memo = dict(await (await here.client.get_workflow_handle(honest.workflow_id).describe()).memo())
    await here.client.get_workflow_handle(honest.workflow_id).terminate()
    other = request.model_copy(update={"goal": "DeleteBranch"})
    async with at_work(here, TaskQueue.GOALS):
        theirs = await here.client.start_workflow(
            RUN_FLEET.name, other, id=honest.workflow_id, task_queue=TaskQueue.GOALS, memo=memo
        )
        assert await requester_of_step(here, gateway, theirs) == UNVERIFIED


@pytest.mark.parametrize("attack", ["by hand", "another input", "another workflow", "another queue"])
async def test_a_job_that_the_gateway_did_not_start_speaks_for_nobody(here: Place, attack: str) -> None:
    gateway = await here.made()
    request = job()
    honest = await gateway.starts.start(GITHUB_JOB, request, identity="github:erin")
    handle = here.client.get_workflow_handle(honest.workflow_id)
    memo = {} if attack == "by hand" else dict(await (await handle.describe()).memo())
    await handle.terminate()
    name = "TestOtherJob" if attack == "another workflow" else GITHUB_JOB.name
    queue = "of-my-own" if attack == "another queue" else TaskQueue.GOALS
    given = job(delivery=request.delivery, goal="DeleteBranch") if attack == "another input" else request
    async with at_work(here, queue):
        theirs = await here.client.start_workflow(name, given, id=honest.workflow_id, task_queue=queue, memo=memo)
        assert await requester_of_step(here, gateway, theirs) == UNVERIFIED
