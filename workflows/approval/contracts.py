"""What goals, approvals and the surfaces of people exchange.

The steps `hitl.post_approval` and `hitl.update_approval` are the gateway's: a new message goes on the queue
`banksman-hitl-posts`, which hands out hardly more than Slack takes, all else on `banksman-hitl`. They are given what a
message shows, and nothing that a decision could rest on: the gateway describes the approval on the server, takes ids
from there, and renders from the plan's own bytes.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.approvals.contracts import ResolvedRule, Wait
from activities.guard.approval_facts import ApprovalFacts, DecidedBy
from activities.presets import NOTIFY
from activities.queues import TaskQueue
from activities.step import Step
from activities.step_end import Way
from hitl.approval.approvers import Path
from hitl.approval.decision import SignedDecision, Surface, Verdict
from hitl.approval.plan import MAX_PLAN_BYTES
from hitl.protocol import Effect
from workflows.contracts import State

APPROVAL_WORKFLOW: Final = "Approval"
NOTICE_WORKFLOW: Final = "ApprovalNotice"
ENDED: Final = "ended"
"""The word in the id of the notice that tells how the approved step ended: APPROVAL/ended/…"""
MAX_ENDED: Final = 1_000
"""Characters of how a step ended, as people are told."""


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


ApprovalOutcome = Literal[
    State.APPROVED, State.REJECTED, State.CHANGES_REQUESTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED
]
ApprovalState = Literal[State.WAITING, ApprovalOutcome]


class ApprovalRequest(BaseModel):
    """What a goal asks for. Whose goal it is, the server says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: Annotated[str, StringConstraints(min_length=2, max_length=MAX_PLAN_BYTES)]
    step_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="The activity id that the step will have."
    )
    rule: ResolvedRule
    look_after: Wait = Field(default=timedelta(hours=12), description="How often to look whether the goal still waits.")


class CountedDecision(_Contract):
    """One decision that counts, for people."""

    person: str
    surface: Surface
    verdict: Verdict
    reason: str = ""
    decided_at: datetime


class AlsoWanted(_Contract):
    """A group of which somebody must be among those who approve, besides how many there are."""

    group: str
    approved_by: tuple[str, ...] = Field(default=(), description="Those of it who did; nobody yet where empty.")


class StepApproval(_Contract):
    """How one step stands, in a plan of many. The plan's own bytes say what it does."""

    action: str
    groups: tuple[str, ...]
    needs: int = Field(description="How many people must approve it.")
    approved_by: tuple[str, ...] = ()
    also: tuple[AlsoWanted, ...] = ()

    @property
    def lacks(self) -> int:
        """How many people more must approve it, at least."""
        return lacking(self.needs - len(self.approved_by), self.also)


class ApprovalView(_Contract):
    """An approval, whole, as every surface shows it. The answer to the query `view`."""

    id: str
    run_id: str
    goal: str = Field(description="Workflow id of the goal that waits for it.")
    goal_run_id: str
    step_id: str
    action: str
    environment: str
    state: ApprovalState
    digest: str = Field(description="Of the plan's text.")
    rule: str
    rule_digest: str
    path: Path
    groups: tuple[str, ...]
    requester: str | None = Field(default=None, description="None until the gateway or a decision says it.")
    needs: int = Field(description="How many people must approve; at least, where there are steps.")
    also: tuple[AlsoWanted, ...] = Field(default=(), description="Who must be among them, by what the service asks.")
    steps: tuple[StepApproval, ...] = Field(default=(), description="Of a plan of many steps, by their order.")
    decisions: tuple[CountedDecision, ...] = ()
    opened_at: datetime
    expires_at: datetime = Field(description="Then nobody can approve it any more.")
    escalated_to: str | None = Field(default=None, description="The further group that is asked by now.")
    reminders: int = 0
    reason: str = Field(default="", description="Why it ended so.")

    def facts(self) -> ApprovalFacts:
        """What the audit log keeps of it.

        Raises:
            ValueError: There is more of it than any approval has.
        """
        counted = (DecidedBy(person=one.person, verdict=one.verdict, surface=one.surface) for one in self.decisions)
        return ApprovalFacts(
            id=self.id, digest=self.digest, state=self.state, requester=self.requester, decisions=tuple(counted)
        )


def lacking(people: int, also: tuple[AlsoWanted, ...]) -> int:
    """How many more must approve, at least: one person may be of every group that nobody is of yet.

    Args:
        people: How many are missing by their number alone.
        also: Of which groups somebody must be among them.
    """
    return max(people, 1 if any(not one.approved_by for one in also) else 0)


class DecisionReceipt(_Contract):
    """The answer to the update `decide`."""

    state: ApprovalState
    approvals: int
    needs: int
    counted: bool = Field(default=True, description="False for a yes under a rule that nobody was asked by.")


class PostApproval(_Contract):
    """`hitl.post_approval`: show it to people. To be done once, however often it is tried."""

    view: ApprovalView
    plan: str
    first: bool = Field(
        default=False, description="Nothing was posted before this step: the channel need not be searched for it."
    )

    def approval_facts(self) -> ApprovalFacts:
        """For the audit log.

        Raises:
            ValueError: There is more of it than any approval has.
        """
        return self.view.facts()


class PostedApproval(_Contract):
    """Where it is shown, and who asked, as the gateway found out."""

    channel: str
    ts: str
    requester: str | None = None


class UpdateApproval(_Contract):
    """`hitl.update_approval`: show how it stands now; without `posted`, where it was shown after all."""

    view: ApprovalView
    plan: str
    posted: PostedApproval | None = None
    ended: str = Field(
        default="", description="How the step ended that was approved, once it has: one line, made visible before."
    )
    end: Way | None = Field(default=None, description="The same in one word; None while the step runs.")
    next_step: str = Field(default="", description="What a person does now.")
    progress: str = Field(
        default="",
        description="How far the approved step is, in one line: said in the thread, the same line once, and none "
        "within 30 seconds of the one before. What is not said then is not said later: send how it stands, now and "
        "then, from the goal itself.",
    )

    def open_next_step(self) -> str:
        """What a person does now; empty where all was done, or nothing has ended yet."""
        return "" if self.end in {None, "completed"} else self.next_step

    def approval_facts(self) -> ApprovalFacts:
        """For the audit log.

        Raises:
            ValueError: There is more of it than any approval has.
        """
        return self.view.facts()


class ApprovalResult(_Contract):
    """How it ended. The decisions are the grant, when it was approved."""

    outcome: ApprovalOutcome
    decisions: tuple[SignedDecision, ...] = ()
    person: str | None = Field(default=None, description="Who ended it, where one person did.")
    reason: str = ""
    view: ApprovalView | None = Field(default=None, description="As it stood when it ended.")
    posted: PostedApproval | None = Field(default=None, description="Where it is shown.")
    rule_changed: bool = Field(default=False, description="Another rule is in force: it is to be asked again.")


POST_APPROVAL: Final = Step(
    name="hitl.post_approval",
    request=PostApproval,
    response=PostedApproval,
    effect=Effect.WRITE,
    on=TaskQueue.POSTS,
    tried=NOTIFY,
)


UPDATE_APPROVAL: Final = Step(
    name="hitl.update_approval",
    request=UpdateApproval,
    response=type(None),
    effect=Effect.WRITE,
    on=TaskQueue.HITL,
    tried=NOTIFY,
)
