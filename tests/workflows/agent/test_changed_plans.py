"""What is run is what was approved: who changes it meets the guard, and a plan's grant is good for nothing else."""

import secrets
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from activities.guard.audit import AuditRecord
from hitl.protocol import RefusalReason
from tests.hitl.plan_language.planning import MOTTO, OPEN, plan_of
from tests.workflows.agent.changing import CHANGES, GRANT_FOR_ANOTHER_STEP, ChangedInput, ChangedPlanWorkflow
from tests.workflows.agent.running import RUN, PlanHouse
from workflows.agent.goals import RunPlanResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLAN = plan_of(act=[OPEN, {**MOTTO, "id": "after"}])


@pytest.fixture
def house(client: Client, tmp_path: Path) -> PlanHouse:
    return PlanHouse(client, tmp_path, also=(ChangedPlanWorkflow,))


async def run(house: PlanHouse, how: str) -> RunPlanResult:
    async with house.workers():
        goal: WorkflowHandle[Any, RunPlanResult] = await house.client.start_workflow(
            "TestChangedPlan",
            ChangedInput(plan=PLAN, how=how),
            id=f"changed-{secrets.token_hex(4)}",
            task_queue="banksman-goals",
            result_type=RunPlanResult,
        )
        await house.click(goal, RUN)
        return await goal.result()


def refusals(house: PlanHouse) -> list[tuple[str, str | None]]:
    lines = (house.folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    records = [AuditRecord.model_validate_json(line) for line in lines]
    return [(one.action, one.reason) for one in records if one.reason is not None]


async def test_the_plan_that_was_approved_is_run(house: PlanHouse) -> None:
    result = await run(house, "")
    assert (result.outcome, len(house.steps.pulls)) == ("completed", 1)


@pytest.mark.parametrize("how", CHANGES)
async def test_a_plan_that_was_changed_after_it_was_approved_is_refused(house: PlanHouse, how: str) -> None:
    result = await run(house, how)
    assert (result.outcome, house.steps.commits, house.deleting.deleted) == ("denied", [], [])
    assert refusals(house) == [(RUN, RefusalReason.OTHER_PLAN)]
    assert [str(one.outcome) for one in result.steps] == ["completed", "not_begun", "not_begun"]


async def test_the_grant_of_a_plan_is_none_for_a_step_that_destroys(house: PlanHouse) -> None:
    result = await run(house, GRANT_FOR_ANOTHER_STEP)
    assert (result.outcome, house.deleting.deleted) == ("denied", [])
    assert refusals(house) == [("github.delete_branch", RefusalReason.OTHER_ACTION)]
