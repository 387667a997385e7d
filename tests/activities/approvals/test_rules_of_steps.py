"""Who approves a plan of many steps: what each step's rule asks for, and the strictest of all for the whole."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.approvals.contracts import ResolvedRule, ResolveRule
from activities.approvals.rules import ApprovalRuleActivities
from activities.guard.error_types import denial_of
from activities.guard.policy_source import PolicySource
from hitl.approval.sequence import SEQUENCE, SequencePlan
from hitl.protocol import Denial, RefusalReason
from tests.hitl.approval.granting_steps import (
    BASE,
    BRANCH,
    BUY,
    POLICY,
    StepsGateway,
    purchase,
    step,
    steps_plan,
)


async def resolve(folder: Path, plan: SequencePlan, text: str = POLICY) -> ResolvedRule:
    file = folder / "policy.yaml"
    file.write_text(text)
    rules = ApprovalRuleActivities(PolicySource(file, environment="live"))
    return await ActivityEnvironment().run(rules.resolve_rule, ResolveRule(plan=plan.text()))


async def refused(folder: Path, plan: SequencePlan, text: str = POLICY) -> Denial:
    with pytest.raises(ApplicationError) as caught:
        await resolve(folder, plan, text)
    denial = denial_of(caught.value)
    assert denial is not None
    return denial


async def test_all_rules_are_told_and_the_strictest_of_them(tmp_path: Path) -> None:
    found = await resolve(tmp_path, steps_plan())
    assert found.digest == StepsGateway(tmp_path).together().digest("live", SEQUENCE)
    assert found.groups == ("release", "data")
    assert (found.approve_within, found.execute_within) == (timedelta(days=2), timedelta(hours=1))
    assert (found.escalation_after, found.later_groups) == (timedelta(days=1), ("money",))
    each = [(one.action, one.groups, one.quorum, one.later) for one in found.steps]
    assert each == [
        (BRANCH, ("release",), 1, ()),
        (BASE, ("data",), 2, ("money",)),
        (BRANCH, ("release",), 1, ()),
    ]
    assert [one.needs(stranger=True) for one in found.steps] == [2, 3, 2]
    assert ResolvedRule.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("- allow: neon.delete_branch", "- deny: neon.delete_branch", RefusalReason.DENY_RULE),
        ("- allow: neon.delete_branch", "- allow: neon.delete_project", RefusalReason.NO_ALLOW_RULE),
        ("- action: neon.delete_branch", "- action: neon.delete_project", RefusalReason.NO_RULE),
    ],
)
async def test_a_step_that_nobody_may_approve_stops_all_and_is_named(
    tmp_path: Path, old: str, new: str, reason: RefusalReason
) -> None:
    assert old in POLICY
    denial = await refused(tmp_path, steps_plan(), POLICY.replace(old, new))
    assert denial.reason is reason
    assert denial.explanation.startswith("Step 2 of 3 (neon.delete_branch): ")


async def test_the_phase_holds_for_each_step(tmp_path: Path) -> None:
    denial = await refused(tmp_path, steps_plan(), POLICY.replace("phase: production", "phase: read_only"))
    assert denial.reason is RefusalReason.PHASE


async def test_limits_and_budgets_hold_for_all_together(tmp_path: Path) -> None:
    two = steps_plan(purchase(60), purchase(41, "queue"))
    denial = await refused(tmp_path, two)
    assert (denial.reason, "2 steps together" in denial.explanation) == (RefusalReason.COST_LIMIT, True)
    capped = POLICY.replace("phase: production", "phase: production\n    budget: {goal: 100}")
    wide = capped.replace("{month: 100}", "{month: 1000}")
    assert (await refused(tmp_path, two, wide)).reason is RefusalReason.BUDGET
    assert (await resolve(tmp_path, steps_plan(purchase(60), step()), capped)).steps[0].action == BUY
