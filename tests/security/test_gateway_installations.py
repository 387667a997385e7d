"""Whose money a goal spends: of the installation whose delivery began it, by the gateway's word, and of no other."""

import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.queues import TaskQueue
from hitl.approval.decision import SignedDecision
from hitl.gateway.who_asked import MEMO
from hitl.policy.file import load_policy
from tests.hitl.gateway.running import Place
from tests.hitl.plan_language.planning import plan_of
from tests.security.pretended_plan import (
    AskWorkflow,
    JobWorkflow,
    OtherJobWorkflow,
    PlanWorkflow,
)
from tests.workflows.approval.approving import eventually
from workers.gateway import Gateway
from workflows.agent.goals import ASK_FOR, RUN_PLAN, AskForInput, RunPlanInput
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput

pytestmark = pytest.mark.asyncio(loop_scope="session")


def job(**changes: object) -> GitHubJobInput:
    """Another delivery each time."""
    return GITHUB_JOB.example.model_copy(update={"delivery": secrets.token_hex(8), **changes})  # pyright: ignore[reportReturnType] - the example is one


@contextlib.asynccontextmanager
async def at_work(here: Place, queue: str = TaskQueue.GOALS) -> AsyncGenerator[None]:
    workflows = [PlanWorkflow, AskWorkflow, JobWorkflow, OtherJobWorkflow]
    async with Worker(here.client, task_queue=queue, workflows=workflows):
        yield


async def installation_of(
    here: Place, gateway: Gateway, above: WorkflowHandle[Any, Any], *, step: str = "act/gone"
) -> str | None:
    """On whose account the goal is that this one started, as the models worker's guard finds out."""
    child = here.client.get_workflow_handle(f"{above.id}/{step}")

    async def there() -> bool:
        try:
            await child.describe()
        except RPCError:
            return False
        return True

    await eventually(there)
    run = (await child.describe()).run_id or ""
    found = await gateway.starts.origin_of(child.id, run, load_policy(here.house.path).people)
    await child.terminate()
    await above.terminate()
    return found.installation


async def test_what_a_job_begins_is_on_the_account_of_its_installation(here: Place) -> None:
    gateway = await here.made()
    async with at_work(here):
        asked = await gateway.starts.start(GITHUB_JOB, job(), identity="github:erin", installation=4711)
        handle = here.client.get_workflow_handle(asked.workflow_id)
        assert await installation_of(here, gateway, handle) == "4711"


async def test_so_is_what_is_below_that_however_deep(here: Place) -> None:
    """What is asked in words has a plan made, and the plan begins the goal that asks the model."""
    gateway = await here.made()
    request = AskForInput(text=f"Delete the branch {secrets.token_hex(4)} of acme/shop.")
    async with at_work(here):
        asked = await gateway.starts.start(ASK_FOR, request, identity="github:erin", installation=4711)
        handle = here.client.get_workflow_handle(asked.workflow_id)
        assert await installation_of(here, gateway, handle, step="plan/act/gone") == "4711"


@pytest.mark.parametrize("begun", ["by a person", "by hand"])
async def test_what_no_delivery_began_is_of_no_installation(here: Place, begun: str) -> None:
    gateway = await here.made()
    request = RunPlanInput(plan=plan_of(title=secrets.token_hex(4)))
    async with at_work(here):
        if begun == "by a person":
            plan = await gateway.starts.start(RUN_PLAN, request, identity="slack:U0ERIN")
            handle = here.client.get_workflow_handle(plan.workflow_id)
        else:
            handle = await here.client.start_workflow(
                RUN_PLAN.name, request, id=f"plan-{secrets.token_hex(4)}", task_queue=TaskQueue.GOALS
            )
        assert await installation_of(here, gateway, handle) is None


def _another_number(signed: SignedDecision) -> SignedDecision:
    text = signed.text.replace('"installation":4711', '"installation":4712')
    assert text != signed.text
    return signed.model_copy(update={"text": text})


ATTACKS: dict[str, Callable[[SignedDecision], SignedDecision | None]] = {
    "no statement": lambda _: None,
    "another number under the same signature": _another_number,
    "another input": lambda signed: signed,
    "another id": lambda signed: signed,
    "another workflow": lambda signed: signed,
    "another queue": lambda signed: signed,
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_job_that_claims_an_installation_spends_nothing_of_it(here: Place, attack: str) -> None:
    """Whoever reaches Temporal can start what they like, with the statement of another start."""
    gateway = await here.made()
    request = job()
    honest = await gateway.starts.start(GITHUB_JOB, request, identity="github:erin", installation=4711)
    handle = here.client.get_workflow_handle(honest.workflow_id)
    signed = SignedDecision.model_validate_json(str(dict(await (await handle.describe()).memo())[MEMO]))
    await handle.terminate()
    changed = ATTACKS[attack](signed)
    name = "TestOtherJob" if attack == "another workflow" else GITHUB_JOB.name
    queue = "of-my-own" if attack == "another queue" else TaskQueue.GOALS
    given = job(delivery=request.delivery, goal="DeleteBranch") if attack == "another input" else request
    async with at_work(here, queue):
        theirs = await here.client.start_workflow(
            name,
            given,
            id=f"{honest.workflow_id}/mine" if attack == "another id" else honest.workflow_id,
            task_queue=queue,
            memo={MEMO: changed.model_dump_json()} if changed is not None else {},
        )
        found = await installation_of(here, gateway, theirs)
    assert found == (None if attack == "another workflow" else "unverified")


async def test_a_start_of_no_installation_says_nothing_of_any(here: Place) -> None:
    """Gateways and workers of the last release know no such field: what they verify is as it was."""
    gateway = await here.made()
    asked = await gateway.starts.start(GITHUB_JOB, job(), identity="github:erin")
    handle = here.client.get_workflow_handle(asked.workflow_id)
    signed = SignedDecision.model_validate_json(str(dict(await (await handle.describe()).memo())[MEMO]))
    await handle.terminate()
    assert "installation" not in json.loads(signed.text.partition("\n")[2])


async def test_what_is_gone_above_a_goal_can_be_told_of_nobody(here: Place) -> None:
    gateway = await here.made()
    async with at_work(here):
        asked = await gateway.starts.start(GITHUB_JOB, job(), identity="github:erin", installation=4711)
        handle = here.client.get_workflow_handle(asked.workflow_id)
        child = here.client.get_workflow_handle(f"{handle.id}/act/gone")

        async def there() -> bool:
            try:
                await child.describe()
            except RPCError:
                return False
            return True

        await eventually(there)
        run = (await child.describe()).run_id or ""
        first = await gateway.starts._server.first_event(child.id, run)
        first.workflow_execution_started_event_attributes.parent_workflow_execution.run_id = (
            "00000000-0000-4000-8000-000000000000"
        )
        assert await gateway.starts._installation(child.id, first) == "unverified"
        await child.terminate()
        await handle.terminate()
