"""By which policy a plan is judged, and by which rule people are asked about it.

Everybody who judges a plan takes the policy from here: the step that says who approves, the gateway, the approval's
worker, the guard. Each computes for itself what the plan's own tightening makes of the deployment's policy, and so does
nobody's word count for it.
"""

from dataclasses import replace

from pydantic import ValidationError

from hitl.approval.approvers import ApprovalRule, Path
from hitl.approval.plan import PlanError, problems
from hitl.approval.sequence import AnyPlan, SequencePlan
from hitl.approval.stricter import Stricter
from hitl.approval.together import AskingRule, RulesTogether, of_step
from hitl.canonical import canonical_json
from hitl.policy.rules import Policy, approval_rule
from hitl.policy.tighten import tighten
from hitl.policy.tightening import Tightening
from hitl.protocol import Refusal, RefusalReason


def policy_for(policy: Policy, tightening: Stricter | None) -> Policy:
    """The policy as a plan with this tightening is judged: never looser than the deployment's.

    Args:
        policy: The deployment's; one that holds this very tightening already stays as it is.
        tightening: The plan's; None where it has none.

    Raises:
        PlanError: It asks something that this release does not know.
    """
    if tightening is None or policy.tightened_by == tightening:
        return policy
    try:
        asked = Tightening.model_validate_json(canonical_json(tightening.asked))
    except ValidationError as error:
        text = f"what {tightening.source} asks of the policy cannot be understood: {problems(error)}"
        raise PlanError(text) from error
    return replace(tighten(policy, asked, source=tightening.source, line=tightening.line), tightened_by=tightening)


def rule_for(policy: Policy, environment: str, *, plan: AnyPlan, path: Path = Path.ORDINARY) -> AskingRule | Refusal:
    """Who approves this plan, its own tightening included; or why nobody can, with the step named that it fails at."""
    try:
        policy = policy_for(policy, plan.tightening)
    except PlanError as error:
        return Refusal(reason=RefusalReason.MALFORMED_PLAN, explanation=f"{error}.")
    if not isinstance(plan, SequencePlan):
        return approval_rule(policy, environment, action=plan.action, path=path)
    rules: list[ApprovalRule] = []
    for position, step in enumerate(plan.steps, start=1):
        found = approval_rule(policy, environment, action=step.action, path=path)
        if isinstance(found, Refusal):
            return of_step(plan, position, found)
        rules.append(found)
    return RulesTogether(rules=tuple(rules), actions=tuple(step.action for step in plan.steps))
