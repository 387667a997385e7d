"""The step that says who approves a plan, by the policy of this deployment. Workflow code reads no policy itself."""

import secrets

from activities.approvals.contracts import RESOLVE_RULE, ResolvedRule, ResolveRule
from activities.guard.error_types import policy_denied
from activities.guard.policy_source import PolicySource
from activities.step import implements
from hitl.approval.approvers import ApprovalRule
from hitl.approval.plan import read_plan
from hitl.policy.rules import Deny, approval_rule, evaluate
from hitl.protocol import Denial, Effect, Phase, Refusal, RefusalReason


class ApprovalRuleActivities:
    """The step, with the policy that it reads."""

    def __init__(self, policy: PolicySource) -> None:
        self._policy = policy

    @implements(RESOLVE_RULE)
    async def resolve_rule(self, request: ResolveRule) -> ResolvedRule:
        """Who may approve this plan, and how.

        What the guard would refuse whoever approved it is refused here: nobody is asked in vain.

        Raises:
            ApplicationError: `PolicyDenied`, with the reason.
            PolicyError: The policy file cannot be read now.
        """
        policy, environment = self._policy.current(), self._policy.environment
        phase = policy.environments[environment].phase
        try:
            plan = read_plan(request.plan)
            context = plan.policy_context()
        except ValueError as error:
            raise policy_denied(_denial("?", RefusalReason.MALFORMED_PLAN, f"{error}.", environment, phase)) from None
        verdict = evaluate(policy, environment, action=plan.action, effect=Effect.DESTRUCTIVE, context=context)
        if isinstance(verdict, Deny):
            raise policy_denied(_denial(plan.action, verdict.reason, verdict.explanation, environment, phase))
        rule = approval_rule(policy, environment, action=plan.action, path=request.path)
        found = (rule.refuse_cost(plan.cost) or rule) if isinstance(rule, ApprovalRule) else rule
        budget, cents = policy.environments[environment].budget, plan.spend()
        if isinstance(found, ApprovalRule) and budget is not None and cents is not None:
            found = budget.refuse(cents) or found
        if isinstance(found, Refusal):
            raise policy_denied(_denial(plan.action, found.reason, found.explanation, environment, phase))
        resolved = ResolvedRule.of(found, environment=environment, action=plan.action)
        return resolved.model_copy(update={"drawn": secrets.token_hex(8)})


def _denial(action: str, reason: RefusalReason, explanation: str, environment: str, phase: Phase) -> Denial:
    return Denial(
        reason=reason,
        action=action,
        effect=Effect.DESTRUCTIVE,
        environment=environment,
        phase=phase,
        explanation=explanation,
    )
