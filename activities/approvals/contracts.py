"""The step that says who approves a plan, as goals call it: what it is asked, what it answers."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from hitl.approval.approvers import LONGEST_WAIT, ApprovalRule, Path, Requesters
from hitl.approval.plan import MAX_PLAN_BYTES, read_plan
from hitl.protocol import Effect, PolicyContext

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


RESOLVE_RULE: Final = Step(name="approval.resolve_rule", request=ResolveRule, response=ResolvedRule, effect=Effect.READ)
