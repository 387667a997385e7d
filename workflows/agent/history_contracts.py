"""Steps on what goals did, as a goal asks for them: the gateway reads it from the Temporal server.

No input, no result and no payload of a step is in what they answer: types, times, ends, and the sentences in which
goals and steps say why. Those sentences may hold a stranger's words.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect, PolicyContext

MOST_STEPS: Final = 60
MOST_GOALS: Final = 40
MOST_REASON: Final = 500
"""Characters of one sentence."""

WorkflowId = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Short = Annotated[str, StringConstraints(max_length=200)]


class ReadHistoryRequest(BaseModel):
    """Which goal: its newest run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: WorkflowId

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.goal)


class StepTold(BaseModel):
    """One step, or one goal that it started."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: str = Field(description="When it was asked for, in UTC.")
    name: str
    kind: Literal["step", "goal"] = "step"
    ended: str = Field(default="under way", description="In a word.")
    attempts: int = 1
    why: str = Field(default="", description="What it failed with, or last met.")
    workflow_id: str = Field(default="", description="Of a goal.")


class HistoryRead(BaseModel):
    """What one goal did."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    found: bool = True
    goal: str = Field(default="", description="Its workflow id.")
    name: str = ""
    state: str = ""
    started: str = ""
    ended: str = ""
    repository: str = ""
    reason: str = Field(default="", description="What it says of its end, or waits for.")
    steps: tuple[StepTold, ...] = Field(default=(), description="The newest, in their order.")
    earlier: int = Field(default=0, description="How many there were before these.")


class FindGoalsRequest(BaseModel):
    """Which goals; all that is given must be so."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Short = ""
    state: Short = ""
    repository: Short = ""
    hours: int = Field(default=24, ge=1, le=24 * 30)

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext.of_repository(self.repository) if self.repository else PolicyContext()


class GoalFound(BaseModel):
    """One of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: str
    name: str
    state: str
    started: str
    repository: str = ""


class GoalsFound(BaseModel):
    """The newest of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goals: tuple[GoalFound, ...] = ()
    more: bool = False


READ_HISTORY: Final = Step(
    name="hitl.read_history",
    request=ReadHistoryRequest,
    response=HistoryRead,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
FIND_GOALS: Final = Step(
    name="hitl.find_goals", request=FindGoalsRequest, response=GoalsFound, effect=Effect.READ, on=TaskQueue.HITL
)
