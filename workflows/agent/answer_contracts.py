"""How who asked in words in Slack is told what became of it: a workflow that outlives every gateway, and its two steps.

The gateway starts an `AnswerNotice` beside the goal. Its first step waits for the goal's end on the queue of what waits
for hours, its second says it. Both are the gateway's. They speak of a goal `AskFor` alone, and to nobody but the person
for whom the gateway or Temporal vouches that they asked: whoever starts such a workflow by hand has nothing else said.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.presets import NOTIFY
from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect
from workflows.agent.history_contracts import WorkflowId
from workflows.github.following_contracts import FOLLOW

ANSWER_NOTICE: Final = "AnswerNotice"
SlackId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,32}$")]


class Answered(BaseModel):
    """Whom to tell of which goal; what is told, the goal's own result says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: WorkflowId
    run: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    channel: SlackId = Field(description="Where they asked.")
    user: SlackId = Field(description="Who asked. They alone see it.")


class AnswerThere(BaseModel):
    """The goal has ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class AnswerTold(BaseModel):
    """It is said. Slack keeps no such line, so that it is said twice where an answer of Slack's was lost."""

    model_config = ConfigDict(frozen=True, extra="ignore")


AWAIT_ANSWER: Final = Step(
    name="hitl.await_answer",
    request=Answered,
    response=AnswerThere,
    effect=Effect.READ,
    on=TaskQueue.FOLLOWS,
    tried=FOLLOW,
)
TELL_ANSWER: Final = Step(
    name="hitl.tell_answer",
    request=Answered,
    response=AnswerTold,
    effect=Effect.WRITE,
    on=TaskQueue.HITL,
    tried=NOTIFY,
)


def notice_of(run: str) -> str:
    """The workflow id of the notice of a goal's run: one for each, however often it was asked for."""
    return f"answer/{run}"
