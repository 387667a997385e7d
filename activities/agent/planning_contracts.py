"""The steps around a planner, as the goal `AskFor` calls them: what it is told, and what its answer comes to."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from activities.step import Step
from hitl.plan_language.mistakes import Mistake
from hitl.protocol import Effect

MOST_TOLD: Final = 20
"""Mistakes that a model is told of at once; more are only counted."""
MOST_PLANNED: Final = 32 * 1024
"""Bytes of a plan that a model writes. It stands in two histories."""
MOST_SAID: Final = 500
"""Characters of a model's own words that people see."""

Reference = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class BriefPlannerRequest(BaseModel):
    """What was asked, and what the deployment knows of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str
    answers: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    branches: tuple[str, ...] = Field(default=(), description="Of the repositories that were asked about.")
    services: tuple[str, ...] = Field(default=(), description="As the manifests of those repositories name them.")
    environments: tuple[str, ...] = Field(default=(), description="Likewise.")
    stacks: tuple[str, ...] = Field(default=(), description="Likewise, without their projects.")
    folders: tuple[str, ...] = Field(default=(), description="Likewise: where the stacks' projects lie.")

    @property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """Closed lists by the names of input fields; of what manifests name, those in which something is."""
        manifests = {
            "service": self.services,
            "environments": self.environments,
            "stack": self.stacks,
            "folder": self.folders,
        }
        named = {name: one for name, one in manifests.items() if one}
        return {"repository": self.repositories, "branch": self.branches, **named}


class PlannerBriefed(BaseModel):
    """What a model is told, all of it as artifacts: it would stand in the history with every request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instructions: Reference = Field(description="Rules and catalogue. The reference is their digest.")
    told: Reference = Field(description="What was asked, with the closed lists.")
    lists: Reference = Field(description="The closed lists alone.")
    size: int = Field(description="Bytes of all that a model is told.")
    left_out: int = Field(default=0, description="Names that are no plain ones, and that no model is told.")


class ReadAnswerRequest(BaseModel):
    """What a model said, and what it was asked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    answer: Reference
    lists: Reference
    text: str
    answers: tuple[str, ...] = ()


class AnswerRead(BaseModel):
    """What it comes to. With a mistake, nothing else counts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["plan", "question", "refusal"] | None = Field(default=None, description="None: it is none of them.")
    says: str = Field(default="", description="The model's own words, nothing hidden in them, and short.")
    plan: dict[str, JsonValue] | None = Field(default=None, description="One in which no mistake was found.")
    lists: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]], description="Beside a plan: what names in it may be."
    )
    effect: Effect | None = Field(default=None, description="The strongest of the plan.")
    mistakes: tuple[Mistake, ...] = ()
    more_mistakes: int = Field(default=0, description="How many there are besides.")


BRIEF_PLANNER: Final = Step(
    name="agent.brief_planner", request=BriefPlannerRequest, response=PlannerBriefed, effect=Effect.READ
)
READ_ANSWER: Final = Step(name="agent.read_answer", request=ReadAnswerRequest, response=AnswerRead, effect=Effect.READ)
"""In steps, as binding is: the catalogue changes with a release, and what a history says does not."""
