"""What a destructive step is given. Light enough for workflow code; what verifies it is `activities.guard.grants`."""

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.approval_facts import ApprovalFacts, DecidedBy
from hitl.approval.decision import MAX_DECISIONS, SignedDecision, read_decision
from hitl.approval.plan import MAX_PLAN_BYTES, Plan, PlanError, plan_digest
from hitl.approval.sequence import MAX_STEPS, SequencePlan, read_any_plan
from hitl.approval.stricter import Stricter
from hitl.protocol import PolicyContext


class GrantedRequest(BaseModel):
    """The request of every destructive step: the plan's text and the decisions on it, and nothing else.

    The step reads every parameter from the text (`request.approved().parameters_as(…)`): a field beside it would be one
    that nobody approved. The position says no more than the step's id does, which the guard compares with it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str = Field(max_length=MAX_PLAN_BYTES)
    decisions: tuple[SignedDecision, ...] = Field(max_length=MAX_DECISIONS)
    position: int | None = Field(
        default=None,
        ge=1,
        le=MAX_STEPS,
        exclude_if=lambda value: value is None,  # so that a release before this one reads requests of one step
        description="Of this step in a plan of many; None in a plan of one.",
    )

    def approved(self) -> Plan:
        """What this step is to do: the plan, or its step at that position.

        Raises:
            PlanError: The plan is not one of this release, or has no such step.
        """
        plan = read_any_plan(self.plan)
        if not isinstance(plan, SequencePlan):
            if self.position is not None:
                raise PlanError("the plan is one of a single step, and this is asked for as one of many")
            return plan
        if self.position is None:
            raise PlanError(f"the plan has {len(plan.steps)} steps, and this does not say which of them it is")
        return plan.at(self.position)

    def policy_context(self) -> PolicyContext:
        """What rules may match, from the plan.

        Raises:
            ValueError: The plan is not one of this release.
        """
        return self.approved().policy_context()

    def policy_tightening(self) -> Stricter | None:
        """How the service's own file tightens the policy, as people were shown it.

        Raises:
            ValueError: The plan is not one of this release.
        """
        return read_any_plan(self.plan).tightening

    def spend(self) -> int | None:
        """What the plan may cost at most: what goes on costing, for its first month.

        Raises:
            ValueError: The plan is not one of this release.
        """
        return self.approved().spend()

    def approval_facts(self) -> ApprovalFacts | None:
        """Who approved it, as their decisions say.

        Raises:
            ValueError: A decision is not one of this release.
        """
        return _facts(self.plan, self.decisions)


class GiveUpRequest(BaseModel):
    """What a goal no longer wants of a plan of many steps: all that was not begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str = Field(max_length=MAX_PLAN_BYTES)
    decisions: tuple[SignedDecision, ...] = Field(max_length=MAX_DECISIONS)
    why: str = Field(default="", max_length=500, description="For whoever reads the record.")

    def approval_facts(self) -> ApprovalFacts | None:
        """Who approved it, as their decisions say.

        Raises:
            ValueError: A decision is not one of this release.
        """
        return _facts(self.plan, self.decisions)


def _facts(plan: str, decisions: tuple[SignedDecision, ...]) -> ApprovalFacts | None:
    read = [read_decision(one.text) for one in decisions]
    if not read:
        return None
    return ApprovalFacts(
        id=read[0].approval_id,
        digest=plan_digest(plan),
        requester=read[0].requester,
        rule=read[0].rule_digest,
        decisions=tuple(DecidedBy(person=one.person, verdict=one.verdict, surface=one.surface) for one in read),
    )
