"""The steps around a plan of goals, as its executor calls them: binding it, and whether it may be run."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from hitl.approval.plan import PlanError, PlanParameters
from hitl.approval.rehearsal import Digest
from hitl.canonical import canonical_json
from hitl.plan_language.bound import BoundError, BoundPlan, BoundStep, read_bound
from hitl.plan_language.mistakes import Mistake
from hitl.protocol import Effect, PolicyContext

MOST_MISTAKES: Final = 50
"""That an answer carries; more are only counted."""


class BindPlanRequest(BaseModel):
    """A plan, and what is known of its results so far."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plan: dict[str, JsonValue]
    lists: dict[str, tuple[str, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    results: dict[str, dict[str, JsonValue]] = Field(
        default_factory=dict[str, dict[str, JsonValue]], description="Of exploring steps, by their bound ids."
    )


class PlanBound(BaseModel):
    """How far it is bound."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mistakes: tuple[Mistake, ...] = Field(default=(), description="With one, nothing else counts.")
    more_mistakes: int = Field(default=0, description="How many there are besides.")
    explore: tuple[BoundStep, ...] = Field(default=(), description="Exploring steps that can run now.")
    needed: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]],
        description="By step the fields of its result that others refer to; `*` where all of it is.",
    )
    bound: str | None = Field(default=None, description="The acting part's text, once all that explores has ended.")


class RunPlanParameters(PlanParameters):
    """What people approve: the bound plan itself, whole."""

    digest: Digest
    effect: Effect
    resource: str = Field(description="Which goals, as in `DeleteBranch,OpenPullRequest`; rules can match it.")
    repository: str | None = Field(default=None, description="Where all of its steps are on one repository.")
    plan: dict[str, JsonValue]

    @classmethod
    def of(cls, bound: BoundPlan) -> "RunPlanParameters":
        """Of a bound plan.

        Raises:
            NotCanonical: It cannot be written down.
        """
        return cls(
            digest=bound.digest(),
            effect=bound.effect,
            resource=goals_of(bound),
            repository=repository_of(bound),
            plan=bound.value(),
        )

    def bound(self) -> BoundPlan:
        """The bound plan, read again; its digest and all that is said of it are compared with it.

        Raises:
            PlanError: Something beside it says another thing than the plan does.
        """
        try:
            found = read_bound(canonical_json(self.plan))
        except BoundError as error:
            raise PlanError(str(error)) from error
        if RunPlanParameters.of(found) != self:
            raise PlanError("the plan's digest, effect, goals or repository are not those of the bound plan in it")
        return found


class PlanAllowed(ApprovedAnswer):
    """The guard has seen the grant."""

    digest: str = Field(description="Of the bound plan that people approved.")


class RunUnasked(BaseModel):
    """Which bound plan is to be run without anybody's approval."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bound: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match: the goals, and the repository where it is one.

        Raises:
            ValueError: It is no bound plan of this release, or its repository is not OWNER/NAME.
        """
        bound = read_bound(self.bound)
        repository = repository_of(bound)
        context = PolicyContext.of_repository(repository) if repository is not None else PolicyContext()
        return context.model_copy(update={"resource": goals_of(bound)})


class UnaskedAnswer(BaseModel):
    """Whether it may be."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    allowed: bool
    why: str


def goals_of(bound: BoundPlan) -> str:
    """The goals of its steps, each once."""
    return ",".join(sorted({one.goal for one in bound.steps}))


def repository_of(bound: BoundPlan) -> str | None:
    """The repository that every step names; None where they name several, or one of them none."""
    named = {value if isinstance(value := one.inputs.get("repository"), str) else None for one in bound.steps}
    return named.pop() if len(named) == 1 else None


BIND_PLAN: Final = Step(name="agent.bind_plan", request=BindPlanRequest, response=PlanBound, effect=Effect.READ)
"""In a step and not in workflow code: the catalogue that it looks at changes with a release, and histories do not."""
RUN_UNASKED: Final = Step(name="agent.run_unasked", request=RunUnasked, response=UnaskedAnswer, effect=Effect.WRITE)
RUN_PLAN: Final = Step(name="agent.run_plan", request=GrantedRequest, response=PlanAllowed, effect=Effect.DESTRUCTIVE)
"""Does nothing by itself: it runs on people's grant alone, so that nobody but the guard says whether there is one."""
