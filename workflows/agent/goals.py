"""What people ask of the agent: a plan of goals, or a sentence that becomes one; and how it ended."""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from activities.agent.investigation_contracts import Claim, SuggestedPlan
from hitl.canonical import canonical_json, tagged_digest
from hitl.hidden import nothing_hidden, visible
from hitl.plan_language.language import MOST_BYTES
from hitl.plan_language.mistakes import Mistake
from hitl.protocol import Effect
from workflows.agent.history_contracts import WorkflowId
from workflows.contracts import DestructiveGoalInput, GoalInput, GoalResult, Outcome, RepositoryName, State
from workflows.goal_type import GoalType
from workflows.kept import Kept

_TAG: Final = "banksman-run-plan/v1"
_ASKED_TAG: Final = "banksman-ask-for/v1"
_INVESTIGATED_TAG: Final = "banksman-investigate/v1"
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


def _nothing_hidden(value: str) -> str:
    for line in value.split("\n"):
        nothing_hidden(line)
    if not value.strip():
        raise ValueError("is empty; say in one sentence what is wanted")
    return value


StepOutcome = Literal[State.RUNNING, State.PARKED, State.FAILED, State.CANCELLED, Outcome, "not_begun", "left_out"]


Words = Annotated[str, StringConstraints(min_length=1, max_length=4000), AfterValidator(_nothing_hidden)]
Reply = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_nothing_hidden)]


class Said(BaseModel):
    """How a plan came about, as its author says it: only shown, to the people who decide on the plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Words = Field(description="What was asked, in words.")
    answers: tuple[Reply, ...] = Field(default=(), max_length=5)
    backend: str = Field(max_length=100, description="Who was asked for the plan.")
    model: str = Field(max_length=300)
    prompt: str = Field(max_length=80, description="The digest of what stood above the words.")
    requests: int = Field(ge=1, description="How often models were asked.")
    cost_micros: int = Field(ge=0, description="Millionths of a US dollar that planning has cost at most.")


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

    said: Said | None = Field(default=None, description="How the plan came about, where a model wrote it.")
    decisions: int | None = Field(
        default=None, ge=1, description="How often people may have to decide on it and on its steps; no limit without."
    )
    limited: bool = Field(
        default=False,
        description="Whether what people decide on it counts on a day, as the models' file says under `limits.day`.",
    )
    bind_only: bool = Field(
        default=False,
        description="Run what explores, and end with the steps that act and all of their values. None is begun.",
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
        kind = "bind-plan" if self.bind_only else "run-plan-break-glass" if self.break_glass else "run-plan"
        return f"{kind}/{tagged_digest(_TAG, self._text())[7:23]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        title = self.plan.get("title")
        said = visible(title)[:_SHORT] if isinstance(title, str) else "of goals"
        verb = "Bind" if self.bind_only else "Run"
        return f"{'BREAK GLASS: ' if self.break_glass else ''}{verb} the plan: {said}"


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
    url: str | None = Field(default=None, description="The page of what it made, as its result tells.")


class RunPlanResult(GoalResult):
    """What became of a plan: of each step how it ended, and what was not begun."""

    digest: str | None = Field(default=None, description="Of the bound plan: what was shown, approved and run.")
    effect: Effect | None = Field(default=None, description="The strongest effect of the bound plan.")
    asked: bool = Field(default=False, description="Whether people approved it; what only reads needs nobody.")
    steps: tuple[PlanStepEnd, ...] = Field(default=(), description="Those that explore first, then those that act.")
    mistakes: tuple[Mistake, ...] = Field(default=(), description="What is wrong with the plan, each with its place.")
    bound: dict[str, JsonValue] | None = Field(
        default=None, description="Where that alone was asked for: the steps that act, of literals only."
    )


RUN_PLAN: Final = GoalType(
    name="RunPlan",
    input=RunPlanInput,
    result=RunPlanResult,
    effect=Effect.DESTRUCTIVE,
    example=RunPlanInput(plan=_EXAMPLE),
)


class AskForInput(GoalInput):
    """Ask in words: a model plans it, its plan is checked, people approve what writes, and exactly that is done."""

    text: Words = Field(description="What is wanted, in a sentence or a few. Names are written as they are.")
    answers: tuple[Reply, ...] = Field(
        default=(), max_length=5, description="What you answer to the questions that earlier runs ended with."
    )
    corrections: int = Field(
        default=2, ge=0, le=5, description="How often a plan with mistakes is given back to the model."
    )
    plan_only: bool = Field(
        default=False, description="End with the plan, to be read, edited and run by itself; nothing of it is begun."
    )

    def business_key(self) -> str:
        """`ask-for/` and a digest of the words, so that the same is asked for once at a time."""
        kind = "plan-for" if self.plan_only else "ask-for"
        return f"{kind}/{tagged_digest(_ASKED_TAG, canonical_json([self.text, *self.answers]))[7:23]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"{'Plan for' if self.plan_only else 'Asked for'}: {visible(' '.join(self.text.split())[:_SHORT])}"


class AskForResult(GoalResult):
    """What came of it: a plan and how it went, a question back, or a refusal with its reason."""

    answer: Literal["plan", "question", "refusal"] | None = Field(
        default=None, description="What the model answered at last; none where there was no answer that can be used."
    )
    says: str | None = Field(default=None, description="Its own words. What it says of a plan, the plan need not do.")
    backend: str | None = Field(default=None, description="Who gave that answer.")
    model: str | None = None
    prompt: str | None = Field(default=None, description="The digest of what stood above the words.")
    requests: int = Field(default=0, description="How often models were asked.")
    cost_micros: int = Field(default=0, description="Millionths of a US dollar that it has cost at most.")
    mistakes: tuple[Mistake, ...] = Field(default=(), description="Of the last plan, where it was not mended.")
    plan_id: str | None = Field(default=None, description="The workflow that carried the plan out.")
    digest: str | None = Field(default=None, description="Of the bound plan: what was shown, approved and run.")
    effect: Effect | None = Field(default=None, description="The strongest effect of the bound plan.")
    asked: bool = Field(default=False, description="Whether people approved it; what only reads needs nobody.")
    steps: tuple[PlanStepEnd, ...] = Field(default=(), description="As of any plan, each with the goal that ran.")
    plan: dict[str, JsonValue] | None = Field(default=None, description="Where the plan alone was asked for.")
    lists: dict[str, tuple[str, ...]] = Field(
        default_factory=dict[str, tuple[str, ...]], description="Beside it: the closed lists that it was checked by."
    )
    decisions: int | None = Field(
        default=None, description="Beside it: how often people may have to decide on it and on its steps."
    )
    limited: bool = Field(default=False, description="Beside it: whether such decisions count on a day.")


ASK_FOR: Final = GoalType(
    name="AskFor",
    input=AskForInput,
    result=AskForResult,
    effect=Effect.DESTRUCTIVE,
    example=AskForInput(text="Read README.md of acme/shop."),
)


class InvestigateInput(GoalInput):
    """Find out why something is as it is: a model looks, changes nothing, and gives evidence for what it claims."""

    question: Words | None = Field(
        default=None,
        description="What is to be found out, in a sentence or a few. Name the repositories that may be looked into, "
        "as they are. Needed where no goal is named.",
    )
    goal: WorkflowId | None = Field(
        default=None, description="The workflow id of a goal: it is looked at first, and its repository may be, too."
    )
    repositories: tuple[RepositoryName, ...] = Field(
        default=(), max_length=20, description="Repositories that may be looked into besides."
    )
    turns: int = Field(default=12, ge=1, le=50, description="How often the model is asked at most.")
    minutes: int = Field(default=15, ge=1, le=120, description="After this long it has to answer with what it has.")
    corrections: int = Field(
        default=2, ge=0, le=5, description="How often an answer is given back whose evidence is not there."
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.question is None and self.goal is None:
            raise ValueError("neither 'question' nor 'goal' is given: say what is to be found out, or name a goal")
        return self

    @property
    def words(self) -> str:
        """What is to be found out."""
        return self.question or f"How did the goal {self.goal} end, why, and what can people do about it?"

    def business_key(self) -> str:
        """`investigate/` and a digest of what was asked, so that the same is asked for once at a time."""
        asked = canonical_json([self.question, self.goal, *self.repositories])
        return f"investigate/{tagged_digest(_INVESTIGATED_TAG, asked)[7:23]}"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return f"Investigate: {visible(' '.join(self.words.split())[:_SHORT])}"


class LookedAt(BaseModel):
    """One thing that was looked at: what claims name as evidence."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(description="By which claims name it, as in `r3`.")
    tool: str
    asked: str = Field(default="", description="What the model said besides, short.")
    failed: bool = False
    cut: bool = Field(default=False, description="Whether the model was told the beginning alone.")
    artifact: Annotated[str, Kept(name="evidence", named_by="id", about="what the model was told")] = Field(
        description="What the model was told."
    )


class InvestigateResult(GoalResult):
    """What was found. Every word of it is a model's, or a stranger's that it quotes."""

    answer: Literal["claims", "unknown"] | None = Field(
        default=None, description="`unknown`: the model does not know, and says why. None: there was no answer."
    )
    claims: tuple[Claim, ...] = Field(default=(), description="The answer itself first.")
    unknown: str = Field(default="", description="What is not known, and why, in the model's words.")
    not_looked_at: tuple[str, ...] = Field(default=(), description="What it could not look at, in its words.")
    absent: tuple[str, ...] = Field(default=(), description="What this deployment does not have to look at.")
    suggested: SuggestedPlan | None = Field(default=None, description="What people might do next. Nothing runs it.")
    looked_at: tuple[LookedAt, ...] = Field(default=(), description="In order.")
    mistakes: tuple[Mistake, ...] = Field(default=(), description="In the last answer, where they were not mended.")
    turns: int = Field(default=0, description="How often a model answered.")
    backend: str | None = Field(default=None, description="Who gave the answer.")
    model: str | None = None
    prompt: str | None = Field(default=None, description="The digest of what stood above the question.")
    requests: int = Field(default=0, description="How often models were asked.")
    cost_micros: int = Field(default=0, description="Millionths of a US dollar that it has cost at most.")


INVESTIGATE: Final = GoalType(
    name="Investigate",
    input=InvestigateInput,
    result=InvestigateResult,
    effect=Effect.READ,
    example=InvestigateInput(question="What does README.md of acme/shop say?"),
)
