"""Who approves a plan: the step's answer, and every way in which nobody can."""

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.approvals.contracts import ResolvedRule, ResolveRule
from activities.approvals.rules import ApprovalRuleActivities
from activities.guard.error_types import denial_of
from activities.guard.policy_source import PolicySource
from hitl.approval.approvers import Path as ApprovalPath
from hitl.approval.plan import Cost, Plan
from hitl.protocol import PolicyContext, RefusalReason
from tests.hitl.approval.granting import ACTION, POLICY, Gateway, make_plan


async def resolve(
    folder: Path, text: str = POLICY, *, plan: Plan | str | None = None, path: ApprovalPath = ApprovalPath.ORDINARY
) -> ResolvedRule:
    file = folder / "policy.yaml"
    file.write_text(text)
    steps = ApprovalRuleActivities(PolicySource(file, environment="live"))
    wanted = plan if isinstance(plan, str) else (plan or make_plan()).text()
    return await ActivityEnvironment().run(steps.resolve_rule, ResolveRule(plan=wanted, path=path))


async def refused(folder: Path, text: str = POLICY, *, plan: Plan | str | None = None) -> RefusalReason:
    with pytest.raises(ApplicationError) as caught:
        await resolve(folder, text, plan=plan)
    denial = denial_of(caught.value)
    assert denial is not None
    assert denial.environment == "live"
    return denial.reason


async def test_the_rule_is_told_with_the_digest_that_will_be_signed(tmp_path: Path) -> None:
    found = await resolve(tmp_path)
    rule = Gateway(tmp_path).rule()
    assert (found.digest, found.name) == (rule.digest("live", ACTION), str(rule))
    assert (found.quorum, found.one_more_for_strangers, found.escalation_group) == (2, True, "leads")
    assert ResolvedRule.model_validate_json(found.model_dump_json()) == found


async def test_the_emergency_path_has_its_own(tmp_path: Path) -> None:
    found = await resolve(tmp_path, path=ApprovalPath.BREAK_GLASS)
    assert (found.path, found.groups, found.escalation_group) == (ApprovalPath.BREAK_GLASS, ("emergency",), None)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("phase: production", "phase: non_critical_writes", RefusalReason.PHASE),
        ("- allow: github.delete_branch", "- deny: github.delete_branch", RefusalReason.DENY_RULE),
        ("- allow: github.delete_branch", "- allow: github.merge", RefusalReason.NO_ALLOW_RULE),
        ("- action: github.delete_branch", "- action: github.merge", RefusalReason.NO_RULE),
        ("quorum: 2", "quorum: 2\n        cost_limits: {once: 5}", RefusalReason.COST_LIMIT),
        ("phase: production", "phase: production\n    budget: {goal: 5}", RefusalReason.BUDGET),
    ],
)
async def test_nobody_is_asked_in_vain(tmp_path: Path, old: str, new: str, reason: RefusalReason) -> None:
    assert (
        await refused(tmp_path, POLICY.replace(old, new), plan=make_plan(cost=Cost(usd_cents=501, per="once")))
        is reason
    )


@pytest.mark.parametrize("plan", ["{}", make_plan().text() + " ", make_plan(parameters={"repository": "shop"}).text()])
async def test_a_plan_that_cannot_be_read_is_not_asked_about(tmp_path: Path, plan: str) -> None:
    assert await refused(tmp_path, plan=plan) is RefusalReason.MALFORMED_PLAN


def test_rules_see_the_repository_and_the_branch() -> None:
    found = ResolveRule(plan=make_plan().text()).policy_context()
    assert found == PolicyContext(repository_owner="acme", repository_name="shop", resource="old")
