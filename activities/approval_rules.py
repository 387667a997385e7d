"""The step that says who approves a plan, by the policy of this deployment. Workflow code reads no policy itself."""

import secrets
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from activities.effects import step
from activities.error_types import policy_denied
from activities.policy_source import PolicySource
from hitl.approvers import LONGEST_WAIT, ApprovalRule, Path, Requesters
from hitl.plan import MAX_PLAN_BYTES, read_plan
from hitl.policy import Deny, approval_rule, evaluate
from hitl.protocol import Denial, Effect, Phase, PolicyContext, Refusal, RefusalReason

Wait = Annotated[timedelta, Field(gt=timedelta(0), le=LONGEST_WAIT)]
"""What an approval waits for. Whoever reaches Temporal can ask for one with rules of their own."""


class ResolveRule(BaseModel):
    """Which plan is to be approved."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plan: str = Field(max_length=MAX_PLAN_BYTES)
    path: Path = Path.ORDINARY

    def policy_context(self) -> PolicyContext:
        """What rules may match, from the plan.

        Raises:
            ValueError: The plan is not one of this release.
        """
        return read_plan(self.plan).policy_context()


class ResolvedRule(BaseModel):
    """The rule as it was when the approval was asked for; decisions are signed with its digest."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    environment: str
    name: str = Field(description="Its place in the policy file.")
    digest: str
    path: Path
    groups: tuple[str, ...]
    quorum: int
    one_more_for_strangers: bool
    approve_within: Wait
    execute_within: Wait
    remind_after: Wait | None = None
    escalation_group: str | None = None
    escalation_after: Wait | None = None
    drawn: str = Field(default="", description="By chance, for the approval's id: a workflow's own chance is foreseen.")

    @classmethod
    def of(cls, rule: ApprovalRule, *, environment: str, action: str) -> "ResolvedRule":
        """What an approval of `action` needs to know of the rule."""
        return cls(
            environment=environment,
            name=str(rule),
            digest=rule.digest(environment, action),
            path=rule.path,
            groups=rule.groups,
            quorum=rule.quorum,
            one_more_for_strangers=rule.unverified_requester is Requesters.ONE_MORE,
            approve_within=rule.approve_within,
            execute_within=rule.execute_within,
            remind_after=rule.remind_after,
            escalation_group=rule.escalation.group if rule.escalation else None,
            escalation_after=rule.escalation.after if rule.escalation else None,
        )


class ApprovalRuleActivities:
    """The step, with the policy that it reads."""

    def __init__(self, policy: PolicySource) -> None:
        self._policy = policy

    @step(name="approval.resolve_rule", effect=Effect.READ)
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
