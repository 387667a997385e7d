"""How an approved step ended, for people: from its answer, or from what it met instead."""

from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType
    from activities.step_end import ApprovedAnswer, StepEnd
    from hitl.hidden import unhidden
    from hitl.protocol import RefusalReason
    from workflows.approval.contracts import MAX_ENDED
    from workflows.goal import CancelledInDoubt, StepDenied

LOOK_FIRST: Final = "Look at what is there now before anybody asks for it again."


def end_with(answer: ApprovedAnswer) -> StepEnd:
    """How a step ended that has answered."""
    end = answer.end()
    too_late = end.way == "completed" and workflow.cancellation_reason() is not None
    return end.model_copy(update={"too_late": True}) if too_late else end


def end_without_an_answer(error: BaseException, *, looks: bool) -> StepEnd:
    """How a step ended that was stopped, refused, or failed.

    Args:
        error: What it met.
        looks: Whether the step had said how it ended, and this came before anybody had seen whether it is so.
    """
    cancelled = is_cancelled_exception(error)
    if looks and cancelled:
        why = "the step says that it was, and it was cancelled before anybody had looked"
        return StepEnd(way="unknown", why=why, next_step=LOOK_FIRST)
    if isinstance(error, CancelledInDoubt):
        why = f"it was cancelled, and {unhidden(str(error))}"
        return StepEnd(way="unknown", why=why, next_step=LOOK_FIRST)
    if cancelled:
        return StepEnd(way="cancelled", next_step=LOOK_FIRST)
    why = unhidden(error.message if isinstance(error, ApplicationError) else str(error))
    begun_before = isinstance(error, StepDenied) and error.reason is RefusalReason.ALREADY_USED
    if looks or begun_before or is_unknown(error):
        return StepEnd(way="unknown", why=why, next_step=LOOK_FIRST)
    return StepEnd(way="denied" if isinstance(error, StepDenied) else "failed", why=why)


def is_unknown(error: BaseException) -> bool:
    """Whether nobody can say what it left behind."""
    return isinstance(error, ApplicationError) and error.type == ErrorType.OUTCOME_UNKNOWN


def told_of(end: StepEnd) -> dict[str, object]:
    """The fields of a message that tell of it."""
    sentence = end.sentence()
    told = sentence if len(sentence) <= MAX_ENDED else f"{sentence[: MAX_ENDED - 1]}…"
    return {"ended": told, "end": end.way, "next_step": end.next_step}
