"""What a service's manifest asks besides, in the console and by the command: who is still needed for it, and why."""

from urllib.parse import quote

import pytest

from activities.approvals.contracts import ResolvedRule
from hitl.approval.plan import Plan
from hitl.approval.sequence import SequencePlan
from hitl.approval.stricter import Stricter
from hitl.policy.file import load_policy
from hitl.policy.together import rule_for
from hitl.protocol import Refusal
from tests.hitl.approval.granting_steps import step, steps_plan
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import ACTION, Ask, make_plan
from workers.commands.approvals import lines
from workflows.approval.contracts import ApprovalRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKED = Stricter(
    source="banksman<b>.yaml",
    asked={"approvals": [{"action": ACTION, "also": ["leads"]}]},
    lines={"approvals.0": 53},
)


@pytest.mark.parametrize("plan", [make_plan(), steps_plan(step(name="a"), step(name="b"))], ids=["one", "many"])
async def test_who_must_be_among_them_is_shown_with_the_line_that_asks_it(
    console: Console, plan: Plan | SequencePlan
) -> None:
    house, plan = console.house, plan.model_copy(update={"tightening": ASKED})
    rule = rule_for(load_policy(house.path), "live", plan=plan)
    assert not isinstance(rule, Refusal), rule
    resolved = ResolvedRule.of(rule, environment="live", action=plan.action)
    request = ApprovalRequest(plan=plan.text(), step_id=f"{plan.action}/1", rule=resolved)
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.ask(Ask(request=request))
        approval = await house.approval_of(goal)
        page = (await alice.get(f"/approval?id={quote(approval, safe='')}")).text
        view = await house.view(approval)
        await goal.terminate()
    told = "\n".join(lines(view, plan, link="http://temporal.example"))
    for shown in (page, told):
        assert "omebody of leads" in shown
        assert "nobody yet" in shown
        assert "(line 53)" in shown
        assert "&#34;also&#34;" in shown or '"also":["leads"]' in shown
    assert "<b>.yaml" not in page
