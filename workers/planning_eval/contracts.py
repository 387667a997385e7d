"""What one sentence of an evaluation is asked with, and what came of it."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from activities.agent.planning_contracts import AnswerRead
from activities.models.contracts import ModelFound
from hitl.plan_language.mistakes import Mistake
from workflows.contracts import GoalInput

PLAN_SENTENCE: Final = "PlanSentence"


class PlanSentence(GoalInput):
    """Have a model plan one sentence, and look at its answer. Nothing is carried out."""

    text: str
    repositories: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    corrections: int = Field(default=2, ge=0, le=5)
    model: ModelFound = Field(description="Who is asked, and nobody else.")

    def business_key(self) -> str:
        """None is needed: an evaluation names its own runs."""
        return "plan-sentence"

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return "Evaluate how a sentence is planned"


class SentencePlanned(BaseModel):
    """What came of it.

    Attributes:
        read: The last answer, looked at; None where there was none.
        why: Why there was none.
        mistakes: Of all answers, those that were mended, too.
        more_mistakes: How many there were besides.
        requests: How often the model was asked.
        cost_micros: Millionths of a US dollar at most.
        input_tokens: As the backend counted.
        output_tokens: Likewise.
        seconds: From the first request to the last answer, with what waiting there was.
        prompt: The digest of the instructions.
        answered_by: The model's name as the backend says it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    read: AnswerRead | None = None
    why: str = ""
    mistakes: tuple[Mistake, ...] = ()
    more_mistakes: int = 0
    requests: int = 0
    cost_micros: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    prompt: str = ""
    answered_by: str = ""

    @property
    def plan(self) -> dict[str, JsonValue] | None:
        """The plan in which no mistake was found."""
        return self.read.plan if self.read is not None else None
