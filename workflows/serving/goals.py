"""What people ask for where a model is to be served on a GPU for a while, and how it ended."""

from typing import Final

from pydantic import AwareDatetime, Field

from hitl.protocol import Effect
from workflows.contracts import DestructiveGoalInput, GoalResult
from workflows.goal_type import GoalType
from workflows.lambdalabs.goals import BackendName, RegionName, TypeName


class ServeModelInput(DestructiveGoalInput):
    """Serve a language model on a GPU machine for some hours: in its tier while it answers, and ended when idle."""

    backend: BackendName = Field(description="Which one, as the models' file foresees it under `served`.")
    types: tuple[TypeName, ...] = Field(
        min_length=1, max_length=8, description="Sizes as Lambda names them, such as gpu_1x_a10; the best one first."
    )
    regions: tuple[RegionName, ...] = Field(
        default=(), max_length=5, description="Regions, the best one first; any where none is named."
    )
    hours: int = Field(ge=1, le=168, description="How long the machine runs at most.")
    most_usd: int = Field(ge=1, le=100_000, description="US dollars that all these hours may cost.")
    wait_hours: int = Field(
        default=0, ge=0, le=72, description="How long to wait where there is no capacity; with 0 it is tried once."
    )
    comes_within_minutes: int = Field(
        default=40,
        ge=0,
        le=240,
        description="How long the model may take until it answers, once its machine is up; then that is ended. With 0 "
        "it is looked at once.",
    )
    idle_minutes: int | None = Field(
        default=60, ge=1, le=10_080, description="It ends after so long without a request; none: at its time alone."
    )

    def business_key(self) -> str:
        """`serve-model/BACKEND`: one machine serves a backend."""
        return f"serve-model/{self.backend}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        emergency = "BREAK GLASS: " if self.break_glass else ""
        return f"{emergency}Serve {self.backend} on a GPU for {self.hours} h at most ({', '.join(self.types)})"


class ServeModelResult(GoalResult):
    """How it was served. The query `served` answers the same, as far as it is known."""

    backend: str = Field(description="As it was asked for.")
    models: tuple[str, ...] = Field(default=(), description="What it serves, as tiers name them.")
    data: tuple[str, ...] = Field(default=(), description="Labels of the data that may go to it.")
    answers: bool = Field(default=False, description="Whether it answered when it was last looked at.")
    asked: int = Field(default=0, description="Requests that it was asked, as the relay counted them.")
    lost: int = Field(default=0, description="How often it stopped answering, and was out of its tier meanwhile.")
    machine: str | None = Field(default=None, description="The goal that holds its machine, by its workflow id.")
    instance: str | None = Field(default=None, description="Lambda's id of it.")
    type: str | None = Field(default=None, description="Its size.")
    region: str | None = Field(default=None, description="Where it is.")
    ends_at: AwareDatetime | None = Field(default=None, description="When it ends at the latest.")
    cents_per_hour: int | None = Field(default=None, description="US cents; nothing is paid by the token.")
    usd_cents: int | None = Field(default=None, description="What it cost at most, from before its launch to its end.")


SERVE_MODEL: Final = GoalType(
    name="ServeModel",
    input=ServeModelInput,
    result=ServeModelResult,
    effect=Effect.DESTRUCTIVE,
    example=ServeModelInput(backend="twin-gpu", types=("gpu_1x_a10",), hours=1, most_usd=2, idle_minutes=1),
)
