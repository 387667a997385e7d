"""Where a workflow stands, for whoever lists some: a workflow that was ended from outside could not say so itself.

`BanksmanState` is what a goal or an approval said last. A terminated or timed-out one runs no more code, so that its
last word may be `waiting`: the server's word on how it ended goes before it.
"""

from typing import Final

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus

from workflows.contracts import STATE_ATTRIBUTE, State

_UNDER_WAY: Final = frozenset({State.RUNNING.value, State.WAITING.value, State.PARKED.value})


def standing_of(found: WorkflowExecution) -> str:
    """In one word, as `BanksmanState` has it, or as the server says: `terminated`, `timed_out`, `failed`."""
    told = found.typed_search_attributes.get(STATE_ATTRIBUTE)
    match found.status:
        case WorkflowExecutionStatus.RUNNING | None:
            return told or State.RUNNING
        case WorkflowExecutionStatus.COMPLETED | WorkflowExecutionStatus.CONTINUED_AS_NEW:
            return told or State.COMPLETED
        case WorkflowExecutionStatus.CANCELED:
            return told if told and told not in _UNDER_WAY else State.CANCELLED
        case ended:
            return told if told and told not in _UNDER_WAY else ended.name.lower()
