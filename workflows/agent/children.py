"""A step of a plan as a child workflow: a goal like any other, with an id that follows from the plan's own."""

from dataclasses import dataclass
from typing import Any, Final, get_args

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from hitl.hidden import unhidden, visible
    from hitl.plan_language.bound import BoundStep
    from workflows.agent.goals import StepOutcome
    from workflows.contracts import Outcome, State
    from workflows.of_a_plan import PLAN_STEP, SET_ASIDE

_OUTCOMES: Final = {one.value: one for one in get_args(Outcome)}
_LONGEST: Final = 500


@dataclass(frozen=True, kw_only=True)
class ChildEnd:
    """How a child ended.

    Attributes:
        outcome: As a goal says it; `failed` or `cancelled` where it gave no result.
        reason: Why it did not complete, for people.
        result: What it gave; nothing where it gave none.
    """

    outcome: StepOutcome
    reason: str | None
    result: dict[str, JsonValue]


async def run_child(step: BoundStep, child_id: str, *, decisions: int | None = None) -> ChildEnd:
    """Start the goal with exactly these inputs, and wait for its end; a cancelled plan waits until it has stopped.

    Args:
        step: With literal inputs.
        child_id: Its workflow id.
        decisions: How often it may have people decide before it counts that itself; None where nobody counts.

    Raises:
        ChildWorkflowError: The plan itself was cancelled.
    """
    return await run_goal_as_child(
        step.goal,
        step.inputs,
        child_id,
        memo={PLAN_STEP: step.id, **({} if decisions is None else {SET_ASIDE: decisions})},
        summary=f"Step {visible(step.id)} of a plan: {visible(step.goal)}",
    )


async def run_goal_as_child(
    goal: str, inputs: dict[str, JsonValue], child_id: str, *, memo: dict[str, str | int], summary: str
) -> ChildEnd:
    """Start a goal, and wait for its end; a cancelled parent waits until it has stopped.

    Args:
        goal: Its name.
        inputs: What it is given.
        child_id: Its workflow id.
        memo: What it knows of its parent.
        summary: One line for people.

    Raises:
        ChildWorkflowError: The parent itself was cancelled.
    """
    try:
        result: Any = await workflow.execute_child_workflow(
            goal,
            inputs,
            id=child_id,
            result_type=dict[str, Any],
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            memo=memo,
            static_summary=summary,
        )
    except WorkflowAlreadyStartedError:
        return _without("somebody else's workflow has the id of this step's goal; end it, and run the plan again")
    except ChildWorkflowError as error:
        if is_cancelled_exception(error) and workflow.cancellation_reason() is not None:
            raise
        return _unanswered(error)
    said = str(result.get("outcome", State.COMPLETED.value))
    reason = result.get("reason")
    if said not in _OUTCOMES:
        return _without(f"it ended as {visible(said)[:80]!r}, which this release does not know")
    return ChildEnd(outcome=_OUTCOMES[said], reason=_told(reason) if isinstance(reason, str) else None, result=result)


def _unanswered(error: ChildWorkflowError) -> ChildEnd:
    match error.cause:
        case CancelledError():
            return ChildEnd(outcome=State.CANCELLED, reason="it was cancelled by hand", result={})
        case TerminatedError():
            return _without("it was terminated by hand, and nobody can say what it left behind")
        case ApplicationError() as cause:
            return _without(cause.message)
        case FailureError() as cause:
            return _without(cause.message)
        case _:
            return _without("it does not say why")


def _without(reason: str) -> ChildEnd:
    return ChildEnd(outcome=State.FAILED, reason=_told(reason), result={})


def _told(text: str) -> str:
    shown = unhidden(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
