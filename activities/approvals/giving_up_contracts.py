"""The step that gives up what is left of a plan of many steps, as goals call it."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GiveUpRequest
from activities.step import Step
from hitl.protocol import Effect


class GivenUp(BaseModel):
    """What can never run any more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: int | None = Field(default=None, description="This position and all that follow; None where all were begun.")


GIVE_UP_STEPS: Final = Step(
    name="approval.give_up_steps",
    request=GiveUpRequest,
    response=GivenUp,
    effect=Effect.DESTRUCTIVE,
    gives_up=True,
)
"""Runs where grants are used up, by whoever may write there. It needs the grant and no rule: it can only prevent."""
