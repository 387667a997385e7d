"""The steps around a reader, as the goal `ReadText` calls them: what it is told, and what its answer comes to."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.agent.planning_contracts import Reference
from activities.step import Step
from hitl.plan_language.answer_form import Answer, AnswerField
from hitl.plan_language.mistakes import Mistake
from hitl.protocol import Effect


class BriefReaderRequest(BaseModel):
    """A stranger's text, and what is asked of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    text: str
    question: str
    fields: tuple[AnswerField, ...]


class ReaderBriefed(BaseModel):
    """What a model is told, all of it as artifacts: it would stand in the history with every request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instructions: Reference = Field(description="Rules, of one release always the same. The reference is their digest.")
    told: Reference = Field(description="The question, the fields and the text.")
    size: int = Field(description="Bytes of all that a model is told.")


class LookAtAnswersRequest(BaseModel):
    """What a model said, and what it was asked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    answer: Reference
    told: Reference
    fields: tuple[AnswerField, ...]


class AnswersSeen(BaseModel):
    """What it comes to. With a mistake, nothing else counts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    answers: dict[str, Answer] = Field(default_factory=dict[str, Answer])
    mistakes: tuple[Mistake, ...] = ()
    more_mistakes: int = Field(default=0, description="How many there are besides.")


BRIEF_READER: Final = Step(
    name="agent.brief_reader", request=BriefReaderRequest, response=ReaderBriefed, effect=Effect.READ
)
LOOK_AT_ANSWERS: Final = Step(
    name="agent.look_at_answers", request=LookAtAnswersRequest, response=AnswersSeen, effect=Effect.READ
)
"""In a step: what the model said lies in the artifact store, and a history holds its digest alone."""
