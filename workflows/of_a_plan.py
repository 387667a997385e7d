"""How a goal that is a step of a plan has the plan show that it is parked."""

import contextlib
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, ConfigDict

PLAN_STEP: Final = "BanksmanPlanStep"
"""In the memo of such a goal, the step's id. Goals without it send nothing, and their histories stay as they are."""

SET_ASIDE: Final = "BanksmanDecisions"
"""In the memo of a step's goal where people's decisions are counted on a day: of how many its plan has done so."""


class StepParked(BaseModel):
    """The signal `step_parked`: a step of the plan waits, or goes on.

    Attributes:
        step: Its id.
        why: What it waits for; None where it no longer does.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    step: str
    why: str | None = None


def set_aside() -> int | None:
    """How often this goal may have people decide before it counts that itself; None where nobody counts."""
    return workflow.memo_value(SET_ASIDE, default=None, type_hint=int)


async def tell_plan(why: str | None) -> None:
    """Have the plan that this goal is a step of show it; nothing where it is none, or the plan is gone."""
    step, parent = workflow.memo_value(PLAN_STEP, default="", type_hint=str), workflow.info().parent
    if not step or parent is None:
        return
    plan = workflow.get_external_workflow_handle(parent.workflow_id, run_id=parent.run_id)
    with contextlib.suppress(ApplicationError):
        await plan.signal("step_parked", StepParked(step=step, why=why))
