"""By which rule of the deployment's policy a plan is asked about: one for a plan of one step, all of a plan of many."""

from hitl.approval.approvers import ApprovalRule, Path
from hitl.approval.sequence import AnyPlan, SequencePlan
from hitl.approval.together import AskingRule, RulesTogether, of_step
from hitl.policy.rules import Policy, approval_rule
from hitl.protocol import Refusal


def rule_for(policy: Policy, environment: str, *, plan: AnyPlan, path: Path = Path.ORDINARY) -> AskingRule | Refusal:
    """Who approves this plan; or why nobody can, with the step named that it fails at."""
    if not isinstance(plan, SequencePlan):
        return approval_rule(policy, environment, action=plan.action, path=path)
    rules: list[ApprovalRule] = []
    for position, step in enumerate(plan.steps, start=1):
        found = approval_rule(policy, environment, action=step.action, path=path)
        if isinstance(found, Refusal):
            return of_step(plan, position, found)
        rules.append(found)
    return RulesTogether(rules=tuple(rules), actions=tuple(step.action for step in plan.steps))
