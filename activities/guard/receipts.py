"""What a receipt says of a request and of its answer without keeping a word of them: their digests, and how it ended.

The digest is of the JSON that Temporal's history holds, with a tag before it: whoever has the history can make it
again. Reads have none, but those that are paid for: the others leave nothing behind that could be doubted later.
"""

from typing import Final

from pydantic_core import PydanticSerializationError, to_json

from activities.guard.model_facts import HasModelFacts, ModelFacts
from activities.guard.opinion_facts import HasOpinionFacts, OpinionFacts
from activities.guard.rules import Execution
from activities.step_end import ApprovedAnswer, Way
from hitl.canonical import tagged_digest
from hitl.protocol import Effect

REQUEST_TAG: Final = "banksman-request/v1"
ANSWER_TAG: Final = "banksman-answer/v1"


def request_digest(execution: Execution) -> str | None:
    """Of what a step with an effect was asked; None for a read, and for what is no JSON."""
    return _digest(REQUEST_TAG, execution.request) if _has_effect(execution) else None


def answer_digest(execution: Execution, answer: object) -> str | None:
    """Of what a step with an effect answered; None likewise."""
    return _digest(ANSWER_TAG, answer) if _has_effect(execution) else None


def way_of(answer: object) -> Way | None:
    """How a destructive step says that it ended, as its state was seen; None where it does not say."""
    try:
        return answer.end().way if isinstance(answer, ApprovedAnswer) else None
    except Exception:  # noqa: BLE001 - the effect is had: a step that failed here would have it twice
        return None


def opinion_of(answer: object) -> OpinionFacts | None:
    """The opinion that a step has verified; None where it is about none."""
    return answer.opinion_facts() if isinstance(answer, HasOpinionFacts) else None


def model_of(answer: object) -> ModelFacts | None:
    """What a language model's answer has used; None for every other answer."""
    return answer.model_facts() if isinstance(answer, HasModelFacts) else None


def _has_effect(execution: Execution) -> bool:
    owned = execution.step is not None and execution.step.owned
    return owned or execution.effect in {Effect.WRITE, Effect.DESTRUCTIVE}


def _digest(tag: str, value: object) -> str | None:
    try:
        return tagged_digest(tag, to_json(value).decode())
    except (PydanticSerializationError, UnicodeDecodeError):
        return None
