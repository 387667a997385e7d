"""A plan of many steps in the console and by the command: whole, in order, and who has approved which step."""

from urllib.parse import quote

import pytest

from activities.approvals.contracts import ResolvedRule
from hitl.approval.plan import Change, Cost, Plan, Resource
from hitl.approval.sequence import MAX_STEPS, SEQUENCE, SequencePlan
from hitl.policy.file import load_policy
from hitl.policy.together import rule_for
from hitl.protocol import Refusal
from tests.hitl.approval.granting_steps import step, steps_plan
from tests.hitl.console.visiting import Console, others_scripts
from tests.workflows.approval.approving import Ask, House
from workers.commands.approvals import lines
from workflows.approval.contracts import ApprovalRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")


def request(house: House, plan: SequencePlan) -> ApprovalRequest:
    rule = rule_for(load_policy(house.path), "live", plan=plan)
    assert not isinstance(rule, Refusal), rule
    resolved = ResolvedRule.of(rule, environment="live", action=SEQUENCE)
    return ApprovalRequest(plan=plan.text(), step_id=f"{SEQUENCE}/1", rule=resolved)


def long_step(number: int) -> Plan:
    """With more than Slack shows, and a value that is markup."""
    return step(
        parameters={"branch": f"b-{number}", "notes": f"<b>{number}</b>" + "n" * 2000},
        resources=tuple(
            Resource(kind="git branch", name=f"r-{number}-{one}", change=Change.DELETE) for one in range(20)
        ),
        cost=Cost(usd_cents=100 * number, per="month"),
    )


async def test_the_longest_plan_is_whole_and_in_its_order(console: Console) -> None:
    house, plan = console.house, steps_plan(*(long_step(number) for number in range(1, MAX_STEPS + 1)))
    async with house.workers(), console.visit("alice") as alice:
        goal = await house.ask(Ask(request=request(house, plan)))
        approval = await house.approval_of(goal)
        page = (await alice.get(f"/approval?id={quote(approval, safe='')}")).text
        asked = await alice.get(f"/approval/decide?id={quote(approval, safe='')}&verdict=approve")
        view = await house.view(approval)
        await goal.terminate()
    told = "\n".join(lines(view, plan, link="http://temporal.example"))
    assert asked.status_code == 200
    assert others_scripts(page) == others_scripts(asked.text) == []
    assert "20 steps in order, each once" in page
    assert "$210.00 a month" in page
    assert "<b>1</b>" not in page
    for shown in (page, asked.text):
        places = [shown.index(f"Step {number} of {MAX_STEPS}: ") for number in range(1, MAX_STEPS + 1)]
        assert places == sorted(places)
        for number in range(1, MAX_STEPS + 1):
            assert f"&lt;b&gt;{number}&lt;/b&gt;{'n' * 2000}" in shown
            assert all(f"<bdi>r-{number}-{one}</bdi>" in shown for one in range(20))
    for number in range(1, MAX_STEPS + 1):
        assert f"Step {number} of {MAX_STEPS}: github.delete_branch, risk low, cost ${number}.00 per month" in told
        assert f"notes: <b>{number}</b>{'n' * 2000}" in told
        assert f"delete git branch r-{number}-19" in told
    assert "approved 0 of 2, by release" in told
    assert "cost          $210.00 per month" in told


async def test_it_waits_for_whoever_decides_on_any_of_its_steps(console: Console) -> None:
    house, plan = console.house, steps_plan(step(), step(name="other"))
    async with house.workers(), console.visit("alice") as alice, console.visit("dave") as dave:
        goal = await house.ask(Ask(request=request(house, plan)))
        place = f"/approval?id={quote(await house.approval_of(goal), safe='')}"
        hers, his = (await alice.get(place)).text, (await dave.get(place)).text
        await goal.terminate()
    assert "verdict=approve" in hers
    assert "verdict=approve" not in his
    assert "asked when the others have not answered" in his
    assert "approved by 0 of 2 of release" in hers
