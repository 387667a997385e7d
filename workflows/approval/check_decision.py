"""How an approval asks its worker whether a decision counts: by a function that lives outside the workflow sandbox.

Only the validator of an update calls it, and validators do not run in replay: its answer needs no place in history.
"""

from collections.abc import Callable
from typing import Final, cast

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from hitl.approval.decision import SignedDecision
    from hitl.approval.scope import DecisionScope, Heard
    from hitl.protocol import Refusal, RefusalReason

DecisionCheck = Callable[[SignedDecision, DecisionScope], Heard | Refusal]

CHECK: Final = "banksman_check_decision"
"""The name that the worker hands it in by."""


def check_here(signed: SignedDecision, scope: DecisionScope) -> Heard | Refusal:
    """Whether the decision counts, by what this worker has."""
    check = cast("DecisionCheck | None", workflow.extern_functions().get(CHECK))
    if check is None:
        return Refusal(
            reason=RefusalReason.CANNOT_TELL,
            explanation="This worker has no keys to check decisions with; an operator must start it with them.",
        )
    return check(signed, scope)
