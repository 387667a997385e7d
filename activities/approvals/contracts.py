"""The step that says who approves a plan, as goals call it: what it is asked, what it answers."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.step import Step
from hitl.approval.approvers import LONGEST_WAIT, ApprovalRule, Path, Requesters
from hitl.approval.plan import MAX_PLAN_BYTES
from hitl.approval.sequence import read_any_plan
from hitl.approval.together import AskingRule, RulesTogether
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
        return read_any_plan(self.plan).policy_context()


class RuleOfStep(BaseModel):
    """What the rule of one step asks for, in a plan of many."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: str
    groups: tuple[str, ...]
    later: tuple[str, ...] = Field(default=(), description="Who is asked as well, once nobody has answered.")
    quorum: int
    one_more_for_strangers: bool
    also: tuple[str, ...] = Field(default=(), description="Somebody of each must be among those who approve it.")

    def needs(self, *, stranger: bool) -> int:
        """How many people must approve.

        Args:
            stranger: Whether nobody knows who asked.
        """
        return self.quorum + (1 if stranger and self.one_more_for_strangers else 0)


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
    also: tuple[str, ...] = Field(default=(), description="Somebody of each must be among those who approve.")
    steps: tuple[RuleOfStep, ...] = Field(default=(), description="Of a plan of many steps, by their order.")
    drawn: str = Field(default="", description="By chance, for the approval's id: a workflow's own chance is foreseen.")

    @classmethod
    def of(cls, rule: AskingRule, *, environment: str, action: str) -> "ResolvedRule":
        """What an approval of `action` needs to know of the rule."""
        together = rule if isinstance(rule, RulesTogether) else None
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
            also=rule.also,
            steps=tuple(map(_of_step, together.rules, together.actions)) if together else (),
        )

    @property
    def later_groups(self) -> tuple[str, ...]:
        """All who are asked as well, once nobody has answered."""
        if self.steps:
            return tuple(dict.fromkeys(group for one in self.steps for group in one.later))
        return (self.escalation_group,) if self.escalation_group else ()


def _of_step(rule: ApprovalRule, action: str) -> RuleOfStep:
    return RuleOfStep(
        action=action,
        groups=rule.groups,
        later=(rule.escalation.group,) if rule.escalation else (),
        quorum=rule.quorum,
        one_more_for_strangers=rule.unverified_requester is Requesters.ONE_MORE,
        also=rule.also,
    )


RESOLVE_RULE: Final = Step(name="approval.resolve_rule", request=ResolveRule, response=ResolvedRule, effect=Effect.READ)
