"""What a destructive step is given. Light enough for workflow code; what verifies it is `activities.guard.grants`."""

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.approval_facts import ApprovalFacts, DecidedBy
from hitl.approval.decision import MAX_DECISIONS, SignedDecision, read_decision
from hitl.approval.plan import MAX_PLAN_BYTES, plan_digest, read_plan
from hitl.protocol import PolicyContext


class GrantedRequest(BaseModel):
    """The request of every destructive step: the plan's text and the decisions on it, and nothing else.

    The step reads every parameter from the text (`read_plan(request.plan).parameters_as(…)`): a field beside it would
    be one that nobody approved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str = Field(max_length=MAX_PLAN_BYTES)
    decisions: tuple[SignedDecision, ...] = Field(max_length=MAX_DECISIONS)

    def policy_context(self) -> PolicyContext:
        """What rules may match, from the plan.

        Raises:
            ValueError: The plan is not one of this release.
        """
        return read_plan(self.plan).policy_context()

    def spend(self) -> int | None:
        """What the plan may cost at most: what goes on costing, for its first month.

        Raises:
            ValueError: The plan is not one of this release.
        """
        return read_plan(self.plan).spend()

    def approval_facts(self) -> ApprovalFacts | None:
        """Who approved it, as their decisions say.

        Raises:
            ValueError: A decision is not one of this release.
        """
        read = [read_decision(one.text) for one in self.decisions]
        if not read:
            return None
        return ApprovalFacts(
            id=read[0].approval_id,
            digest=plan_digest(self.plan),
            requester=read[0].requester,
            decisions=tuple(DecidedBy(person=one.person, verdict=one.verdict, surface=one.surface) for one in read),
        )
