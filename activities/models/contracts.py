"""Steps on language models, as goals ask for them. A model can only answer: what comes of that is for a goal to do.

A request names one backend and one model. Which are there for a use, `models.find_models` tells; to ask the next one is
another step, seen, audited and paid for by itself.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activities.guard.model_facts import ModelFacts
from activities.guard.model_facts import Tokens as Counted
from activities.presets import ASK_MODEL
from activities.queues import TaskQueue
from activities.step import Step
from connectors.models import manifest
from connectors.models.messages import MOST_INLINE, Answer, Prompt, require_fit
from connectors.models.raw import NAME, Per, Use
from hitl.protocol import Effect, PolicyContext

Label = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
Labels = Annotated[tuple[Label, ...], Field(min_length=1, max_length=20)]
"""What the data of a request is. Data that nobody has named goes nowhere."""


class RequestModel(BaseModel):
    """One request to one model.

    Attributes:
        backend: As the deployment's file names it.
        model: Its name there.
        labels: Of all that the prompt holds.
        requester: Who asked for the goal, as the goal says it. The models worker's guard finds out by itself, and then
            this counts for nothing.
        prompt: What the model is told.
        use: What it is asked for, where the goal says so.
        inline: Characters of one text that stand in the answer; a longer one is an artifact.
        transcript: All that was said before, as an answer referred to it; `messages` is then only what is new. The
            labels are of all of it.
        keep: Whether the answer refers to all that was said, for a next turn.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: str = Field(max_length=100)
    model: str = Field(max_length=300)
    labels: Labels
    requester: str = Field(default="", max_length=300)
    prompt: Prompt
    use: Use | None = None
    inline: int = Field(default=MOST_INLINE, ge=0, le=MOST_INLINE)
    transcript: str | None = Field(default=None, max_length=200)
    keep: bool = True

    def policy_context(self) -> PolicyContext:
        """What the policy may match: never a word of the prompt.

        Raises:
            ValueError: A text is too long to be inline, or said by the wrong side.
        """
        require_fit(self.prompt)
        return PolicyContext(
            account=self.backend,
            resource=self.model,
            purpose=self.use.value if self.use is not None else None,
            labels=",".join(sorted(set(self.labels))),
            requester=self.requester or None,
        )


class ModelAnswered(BaseModel):
    """What it answered, and what that has cost.

    Attributes:
        backend: Who was asked.
        model: Which model.
        answer: What it said; long texts by reference.
        cost_micros: Millionths of a US dollar; None where nobody knows the price, or the backend counted nothing.
        instructions: The digest of the prompt's instructions; None where there were none.
        transcript: Of all that was said, this answer included; None where nothing was said, or nothing could be kept:
            what was said before is then still there.
        left_out: Older results of tools that the model was not told, for the conversation is too long.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: str
    model: str
    answer: Answer
    cost_micros: int | None = None
    instructions: str | None = None
    transcript: str | None = None
    left_out: int = 0

    def model_facts(self) -> ModelFacts:
        """What the audit log keeps of it."""
        told = self.answer.tokens
        counted = Counted(input=told.input, output=told.output, cached_input=told.cached_input) if told else None
        return ModelFacts(
            backend=self.backend,
            model=self.model,
            ended=self.answer.ended,
            tokens=counted,
            cost_micros=self.cost_micros,
            instructions=self.instructions,
        )


class FindModelsRequest(BaseModel):
    """Which models may be asked for this use with such data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    use: Use
    labels: Labels

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(purpose=self.use.value, labels=",".join(sorted(set(self.labels))))


class ModelFound(BaseModel):
    """One that may be asked.

    Attributes:
        tools: Whether it takes tools.
        enforced_schema: Whether its backend holds answers to a schema. Where not, they are asked for, and may differ.
        context: Tokens that it takes; None where nobody knows.
        input_micros: What a million tokens of input cost, in millionths of a US dollar: in long requests, where those
            are dearer, so that a reserve is enough. None where nobody knows.
        output_micros: Likewise of output.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: str
    model: str
    tools: bool = True
    enforced_schema: bool = False
    context: int | None = None
    input_micros: int | None = None
    output_micros: int | None = None


class ModelLeftOut(BaseModel):
    """One of the tier that may not be asked, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    backend: str
    model: str
    why: str


class UseLimits(BaseModel):
    """What the deployment lets a goal use; None for no limit.

    Attributes:
        goal_micros: Millionths of a US dollar in one run of a goal.
        goal_requests: Requests in one run of a goal.
        goal_minutes: Minutes in which one run of a goal may ask.
        goal_decisions: How often people may have to decide on what a model planned in one run of a goal.
        day_micros: Millionths of a US dollar on one day of UTC's.
        day_decisions: How often people may have to decide on what models planned on one day of UTC's.
        day_per: Whose the day's limits are.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    goal_micros: int | None = None
    goal_requests: int | None = None
    goal_minutes: int | None = None
    goal_decisions: int | None = None
    day_micros: int | None = None
    day_decisions: int | None = None
    day_per: Per = Per.ALL


class ModelsFound(BaseModel):
    """The models for a use, the first to be asked first; none where nothing may be asked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    models: tuple[ModelFound, ...] = ()
    left_out: tuple[ModelLeftOut, ...] = ()
    limits: UseLimits = UseLimits()


REQUEST: Final = Step(
    name="models.request",
    request=RequestModel,
    response=ModelAnswered,
    effect=Effect.READ,
    credential=manifest.REQUEST,
    on=TaskQueue.MODELS,
    tried=ASK_MODEL,
    owned=True,
)
FIND_MODELS: Final = Step(
    name="models.find_models",
    request=FindModelsRequest,
    response=ModelsFound,
    effect=Effect.READ,
    on=TaskQueue.MODELS,
)
