"""What a person, the gateway and the workflow that keeps an opinion exchange.

The step `hitl.keep_opinion` is the gateway's. Its request is empty: whose opinion it is and of what, the gateway reads
from the start of the workflow whose step it is. It has no effect but its own line in the audit log, which every step
has; so it is a read, and people can say what they think in every phase.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from activities.guard.opinion_facts import OpinionFacts, OpinionVerdict, words_digest
from activities.queues import TaskQueue
from activities.step import Step
from hitl.approval.decision import Id, Identity, Moment, PersonName, SignedDecision
from hitl.hidden import nothing_hidden
from hitl.protocol import Effect

OPINION_WORKFLOW: Final = "Opinion"
MAX_WORDS: Final = 500
"""Characters, in one line."""

Words = Annotated[str, StringConstraints(max_length=MAX_WORDS), AfterValidator(nothing_hidden)]
RunId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{36}$")]


def opinions_on(goal_run: str) -> str:
    """How the ids of all workflows begin that keep an opinion on this run of a goal."""
    return f"opinion/{goal_run}/"


class GivenOpinion(BaseModel):
    """What the workflow is started with. Without `signed`, Temporal itself has to say who started it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: Id = Field(description="The goal's workflow id.")
    goal_run: RunId
    verdict: OpinionVerdict
    words: Words = ""
    signed: SignedDecision | None = Field(default=None, description="The gateway's statement of who says all of this.")


class OpinionStatement(BaseModel):
    """All that the gateway signs of an opinion, so that nothing of it can be said of another goal, or by another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str
    namespace: str
    goal: str
    goal_run: str
    verdict: OpinionVerdict
    words: str = Field(description="Their digest.")
    identity: Identity
    surface: str
    signed_at: Moment


class KeepOpinion(BaseModel):
    """`hitl.keep_opinion`: nothing. Whose opinion it is, the server says."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class KeptOpinion(BaseModel):
    """A verified opinion."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: str
    goal_run: str
    person: PersonName
    verdict: OpinionVerdict
    words: str = ""
    surface: str
    said_at: Moment

    def opinion_facts(self) -> OpinionFacts:
        """What the audit log keeps of it."""
        return OpinionFacts(
            goal=self.goal,
            goal_run=self.goal_run,
            person=self.person,
            verdict=self.verdict,
            words=words_digest(self.words),
            surface=self.surface,
            said_at=self.said_at.isoformat(timespec="microseconds"),
        )


KEEP_OPINION: Final = Step(
    name="hitl.keep_opinion",
    request=KeepOpinion,
    response=KeptOpinion,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
