"""The step by which a job follows the goal that it runs: the gateway reads the server, and answers when there is news.

It is one long step and no loop of looks. It runs on a queue of its own, so that what waits for hours takes no room from
what people wait for. It tells of a child of the workflow whose step it is, and of nothing else.
"""

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from temporalio.common import RetryPolicy

from activities.presets import Preset
from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect
from workflows.agent.history_contracts import StepTold, WorkflowId

FOLLOW: Final = Preset(
    start_to_close=timedelta(days=7),
    schedule_to_close=timedelta(days=90),
    heartbeat=timedelta(seconds=30),
    retry=RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
    ),
)
"""It waits for as long as people may wait; another gateway goes on with it."""


class FollowGoalRequest(BaseModel):
    """Which goal, and what of it is known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: WorkflowId
    run: str = Field(description="Its run.")
    seen: str = Field(default="", description="The mark of what is shown of it; empty for nothing.")
    pause: float = Field(default=0.0, ge=0, le=3600, description="Seconds to wait before telling of a mere next step.")


class GoalFollowed(BaseModel):
    """How it stands now."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mark: str = Field(description="Another one whenever something of this is another.")
    ended: bool = False
    state: str = Field(default="running", description="In one word, as a goal says it.")
    now: str = Field(default="", description="What it says that it does, or waits for.")
    approval: str = Field(default="", description="The approval that it waits for; empty where it waits for none.")
    digest: str = Field(default="", description="Of the plan that people are asked about there.")
    steps: tuple[StepTold, ...] = Field(default=(), description="The newest, in their order.")
    earlier: int = Field(default=0, description="How many there were before these.")


FOLLOW_GOAL: Final = Step(
    name="hitl.follow_goal",
    request=FollowGoalRequest,
    response=GoalFollowed,
    effect=Effect.READ,
    on=TaskQueue.FOLLOWS,
    tried=FOLLOW,
)
