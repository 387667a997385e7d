"""What people ask for of a plan of goals, and how it ended."""

from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from hitl.canonical import canonical_json, tagged_digest
from hitl.hidden import visible
from hitl.plan_language.language import MOST_BYTES
from hitl.plan_language.mistakes import Mistake
from hitl.protocol import Effect
from workflows.contracts import DestructiveGoalInput, GoalResult, Outcome, State
from workflows.goal_type import GoalType

_TAG: Final = "banksman-run-plan/v1"
_SHORT: Final = 120
_EXAMPLE: Final[dict[str, JsonValue]] = {
    "schema": "banksman-goal-plan",
    "version": 1,
    "title": "Read the readme, and again at that commit",
    "explore": [{"id": "readme", "goal": "ReadFile", "inputs": {"repository": "acme/shop", "path": "README.md"}}],
    "act": [
        {
            "id": "again",
            "goal": "ReadFile",
            "inputs": {"repository": "acme/shop", "path": "README.md", "ref": {"$from": "readme.commit"}},
            "when": {"$from": "readme.size", "is": ">", "to": 0},
        }
    ],
}

StepOutcome = Literal[State.RUNNING, State.PARKED, State.FAILED, State.CANCELLED, Outcome, "not_begun", "left_out"]


class RunPlanInput(DestructiveGoalInput):
    """Run a plan of goals: explore, bind what was found, ask people where it writes, and do exactly that."""

    plan: dict[str, JsonValue] = Field(
        description="The plan of goals, in full; `banksman plan check` tells what is wrong with one."
    )
    lists: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        max_length=50,
        description="Closed lists by the names of input fields, as in branch: [main, next]. What a stranger may have "
        "written names a thing only where it is in one.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        size = len(self._text().encode())
        if size > 2 * MOST_BYTES:
            msg = (
                f"'plan' and 'lists' are {size} bytes long, and at most {2 * MOST_BYTES} are taken; make several plans"
            )
            raise ValueError(msg)
        return self

    def _text(self) -> str:
        return canonical_json({"plan": self.plan, "lists": {name: list(one) for name, one in self.lists.items()}})

    def business_key(self) -> str:
        """`run-plan/` and a digest of the plan and its lists, so that the same is asked for once."""
        kind = "run-plan-break-glass" if self.break_glass else "run-plan"
        return f"{kind}/{tagged_digest(_TAG, self._text())[7:23]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        title = self.plan.get("title")
        said = visible(title)[:_SHORT] if isinstance(title, str) else "of goals"
        return f"{'BREAK GLASS: ' if self.break_glass else ''}Run the plan: {said}"


class PlanStepEnd(BaseModel):
    """How one step of the plan stands, or ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(description="As in the plan; of one of many, with its number.")
    goal: str
    part: Literal["explore", "act"]
    outcome: StepOutcome = Field(
        description="As of any goal; or `failed`, `cancelled`, `not_begun`, `left_out`; while it runs, `parked` too."
    )
    workflow_id: str | None = Field(default=None, description="Of its goal: what it did is there.")
    reason: str | None = Field(default=None, description="Why it did not complete, or was left out.")


class RunPlanResult(GoalResult):
    """What became of a plan: of each step how it ended, and what was not begun."""

    digest: str | None = Field(default=None, description="Of the bound plan: what was shown, approved and run.")
    effect: Effect | None = Field(default=None, description="The strongest effect of the bound plan.")
    asked: bool = Field(default=False, description="Whether people approved it; what only reads needs nobody.")
    steps: tuple[PlanStepEnd, ...] = Field(default=(), description="Those that explore first, then those that act.")
    mistakes: tuple[Mistake, ...] = Field(default=(), description="What is wrong with the plan, each with its place.")


RUN_PLAN: Final = GoalType(
    name="RunPlan",
    input=RunPlanInput,
    result=RunPlanResult,
    effect=Effect.DESTRUCTIVE,
    example=RunPlanInput(plan=_EXAMPLE),
)
