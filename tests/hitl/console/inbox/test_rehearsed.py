"""What a rehearsal found, in the console, in Slack and by the command: the list, and before it the surprises."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from activities.approvals.contracts import ResolvedRule
from hitl.approval.plan import Plan
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect
from hitl.approval.sequence import SequencePlan
from hitl.policy.file import load_policy
from hitl.policy.together import rule_for
from hitl.protocol import Refusal
from hitl.slack.messages import plan_passages
from tests.hitl.approval.granting_steps import step, steps_plan
from tests.hitl.console.visiting import Console
from tests.workflows.approval.approving import Ask, make_plan
from workers.commands.approvals import lines
from workflows.approval.contracts import ApprovalRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")

LISTED = RehearsedEffect(action="github.comment", on=("repository acme/shop<b>",))
SURPRISE = RehearsedEffect(action="github.delete_branch", on=("branch main<b>",))
DOCUMENT = Rehearsal.sealed(
    goal="TestAsk",
    of="sha256:" + "a" * 64,
    made_at=datetime(2026, 1, 1, tzinfo=UTC),
    copied=(),
    effects=(LISTED,),
    milliseconds=1,
)


@pytest.mark.parametrize("surprises", [(), (SURPRISE,)], ids=["as rehearsed", "otherwise"])
@pytest.mark.parametrize("plan", [make_plan(), steps_plan(step(name="a"), step(name="b"))], ids=["one", "many"])
async def test_people_see_the_list_and_the_surprise_first(
    console: Console, plan: Plan | SequencePlan, surprises: tuple[RehearsedEffect, ...]
) -> None:
    house, plan = console.house, plan.model_copy(update={"rehearsal": DOCUMENT.shown(surprises)})
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
    slack = "\n".join(f"{one.title}\n" + "\n".join(one.lines) for one in plan_passages(plan, waits=True))
    for shown in (page, told, slack):
        assert "github.comment: repository acme/shop" in shown
        assert ("SURPRISE" in shown) is bool(surprises)
        if surprises:
            assert shown.index("branch main") < shown.index("github.comment")
    assert DOCUMENT.digest in page
    assert DOCUMENT.digest in told
    assert "shop<b>" not in page
