"""The step that looks at what a fleet is asked for, before any of it is begun."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.queues import TaskQueue
from activities.step import Step
from hitl.protocol import Effect


class CheckFleet(BaseModel):
    """`hitl.check_fleet`: a goal, and its input in each repository."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal: str
    inputs: dict[str, dict[str, JsonValue]] = Field(description="By repository.")


class FleetChecked(BaseModel):
    """What is begun, or why nothing is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    refused: str | None = None
    names_repository: bool = Field(
        default=False, description="Whether the goal takes a `repository` that it has to be given beside its input."
    )


CHECK_FLEET: Final = Step(
    name="hitl.check_fleet",
    request=CheckFleet,
    response=FleetChecked,
    effect=Effect.READ,
    on=TaskQueue.HITL,
)
