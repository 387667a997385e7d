"""What people ask to be done in many repositories at once, and how it ended in each."""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from hitl.canonical import canonical_json, tagged_digest
from hitl.protocol import Effect
from workflows.contracts import GoalInput, GoalResult
from workflows.goal_type import GoalType

REPOSITORY: Final = "$repository"
"""Stands for each repository, as a whole value."""

_TAG: Final = "banksman-fleet/v1"
_GoalName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$")]
_Pattern = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9_.*-]+/[A-Za-z0-9_.*-]+$")]
_Topic = Annotated[str, StringConstraints(max_length=50, pattern=r"^[a-z0-9][a-z0-9-]*$")]


class RepositoryEnd(BaseModel):
    """How it stands in one repository, or ended there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository: str
    outcome: str = Field(
        description="As of any goal; or `failed`, `cancelled`, `not_begun`; while it runs, `running` or `parked`."
    )
    workflow_id: str | None = Field(default=None, description="Of its goal: what it did is there.")
    reason: str | None = Field(default=None, description="Why it did not complete, or was not begun.")


class SoFar(BaseModel):
    """What a fleet knows that goes on in another run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ends: tuple[RepositoryEnd, ...]
    archived: tuple[str, ...] = ()
    stopped: str | None = None


class RunFleetInput(GoalInput):
    """Run one goal in many repositories, a few at a time, and stop when it goes wrong."""

    goal: _GoalName = Field(description="The goal, as `banksman goals` tells it.")
    inputs: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Its input; `$repository` stands for each repository, and `repository` may be left out.",
    )
    repositories: tuple[_Pattern, ...] = Field(
        min_length=1,
        max_length=50,
        description="Patterns of OWNER/NAME, as in acme/web-*, of those that the App is installed on; `*` is any "
        "characters but a slash. 500 may fit.",
    )
    topics: tuple[_Topic, ...] = Field(default=(), max_length=20, description="Only those that have all of these.")
    concurrency: int = Field(default=3, ge=1, le=10, description="In how many at once.")
    stop_after: int | None = Field(
        default=1,
        ge=1,
        description="Begin no more once so many did not complete, whatever the reason; null goes on to the end.",
    )
    canary: bool = Field(default=False, description="Wait for the first one alone, and go on only if it completes.")
    so_far: SoFar | None = Field(
        default=None, description="Of a run that goes on; leave it out: a fleet that is begun with it is refused."
    )

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.goal == "RunFleet":
            msg = "a fleet runs no other fleet; name the goal itself"
            raise ValueError(msg)
        return self

    def inputs_for(self, repository: str) -> dict[str, JsonValue]:
        """The goal's input in one repository."""
        return {name: _filled(value, repository) for name, value in self.inputs.items()}

    def business_key(self) -> str:
        """`run-fleet/GOAL/` and a digest of what is done where, so that the same is asked for once at a time."""
        where: list[JsonValue] = [*sorted(self.repositories), *sorted(self.topics)]
        return f"run-fleet/{self.goal}/{tagged_digest(_TAG, canonical_json([self.inputs, where]))[7:23]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{self.goal} in {', '.join(self.repositories)}"[:200]

    def reaches(self) -> Mapping[str, str]:
        """All that the App reaches."""
        return {"github": ""}


class RunFleetResult(GoalResult):
    """How it ended in each repository, and where it was not begun."""

    repositories: tuple[RepositoryEnd, ...] = Field(default=(), description="All that fitted, by name.")
    archived: tuple[str, ...] = Field(default=(), description="Some that fit and are archived: these are left out.")


RUN_FLEET: Final = GoalType(
    name="RunFleet",
    input=RunFleetInput,
    result=RunFleetResult,
    effect=Effect.DESTRUCTIVE,
    example=RunFleetInput(goal="ReadFile", inputs={"path": "README.md"}, repositories=("acme/shop", "acme/storefront")),
)


def _filled(value: JsonValue, repository: str) -> JsonValue:
    match value:
        case str():
            return repository if value == REPOSITORY else value
        case list():
            return [_filled(one, repository) for one in value]
        case dict():
            return {name: _filled(one, repository) for name, one in value.items()}
        case _:
            return value
