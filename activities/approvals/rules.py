"""The step that says who approves a plan, by the policy of this deployment. Workflow code reads no policy itself."""

import secrets

from activities.approvals.contracts import RESOLVE_RULE, ResolvedRule, ResolveRule
from activities.guard.error_types import policy_denied
from activities.guard.policy_source import PolicySource
from activities.step import implements
from hitl.approval.sequence import AnyPlan, SequencePlan, read_any_plan, steps_of
from hitl.approval.together import of_step, refuse_costs
from hitl.policy.rules import Deny, Policy, evaluate
from hitl.policy.together import policy_for, rule_for
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
            plan = read_any_plan(request.plan)
            policy = policy_for(policy, plan.tightening)
            phase = policy.environments[environment].phase
            refusal = _refuse_step(plan, policy, environment)
        except ValueError as error:
            raise policy_denied(_denial("?", RefusalReason.MALFORMED_PLAN, f"{error}.", environment, phase)) from None
        if refusal is not None:
            raise policy_denied(_denial(plan.action, refusal.reason, refusal.explanation, environment, phase))
        found = rule_for(policy, environment, plan=plan, path=request.path)
        if not isinstance(found, Refusal):
            found = refuse_costs(found, plan) or found
        budget, cents = policy.environments[environment].budget, plan.spend()
        if not isinstance(found, Refusal) and budget is not None and cents is not None:
            found = budget.refuse(cents) or found
        if isinstance(found, Refusal):
            raise policy_denied(_denial(plan.action, found.reason, found.explanation, environment, phase))
        resolved = ResolvedRule.of(found, environment=environment, action=plan.action)
        return resolved.model_copy(update={"drawn": secrets.token_hex(8)})


def _refuse_step(plan: AnyPlan, policy: Policy, environment: str) -> Refusal | None:
    """Why the policy lets nobody do one of its steps, with the step named in a plan of many; None where it may be.

    Raises:
        ValueError: A step's repository is not of the form OWNER/NAME.
    """
    for position, step in enumerate(steps_of(plan), start=1):
        context = step.policy_context()
        verdict = evaluate(policy, environment, action=step.action, effect=Effect.DESTRUCTIVE, context=context)
        if isinstance(verdict, Deny):
            refusal = Refusal(reason=verdict.reason, explanation=verdict.explanation)
            return of_step(plan, position, refusal) if isinstance(plan, SequencePlan) else refusal
    return None


def _denial(action: str, reason: RefusalReason, explanation: str, environment: str, phase: Phase) -> Denial:
    return Denial(
        reason=reason,
        action=action,
        effect=Effect.DESTRUCTIVE,
        environment=environment,
        phase=phase,
        explanation=explanation,
    )
