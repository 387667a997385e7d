"""What people ask of a plan of goals."""

from tests.workflows.agent.running import WRITES
from workflows.agent.goals import RunPlanInput


def test_the_same_plan_is_asked_for_once() -> None:
    one, other = RunPlanInput(plan=WRITES), RunPlanInput(plan=WRITES, lists={"branch": ("a",)})
    assert one.business_key() == RunPlanInput(plan=dict(reversed(WRITES.items()))).business_key()
    assert one.business_key() != other.business_key()
    assert RunPlanInput(plan=WRITES, break_glass=True).business_key().startswith("run-plan-break-glass/")
    assert one.summary() == "Run the plan: Copy the motto"
