"""How an approval reaches its worker's key ring and policy, which live outside the workflow sandbox.

An interceptor hands one function in. Its modules, and `cryptography` below them, are those of the process: imported a
second time by the sandbox, `cryptography`'s native half ends the process at the first bad signature. Only the
validator of an update calls it, and validators do not run in replay: what it answers needs no place in history.
"""

from collections.abc import Callable
from typing import Final, cast

from temporalio import workflow
from temporalio.worker import Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

with workflow.unsafe.imports_passed_through():
    from hitl.decision import SignedDecision
    from hitl.grant import Heard, Occasion
    from hitl.protocol import Refusal, RefusalReason

DecisionCheck = Callable[[SignedDecision, Occasion], Heard | Refusal]

_NAME: Final = "banksman_check_decision"


class DecisionChecks(Interceptor):
    """Gives the workflows of one worker the means to check a decision.

    Args:
        check: Callable from every thread; quick, and reads nothing but memory and a small file.
    """

    def __init__(self, check: DecisionCheck) -> None:
        self._check = check

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - the SDK's
    ) -> type[WorkflowInboundInterceptor] | None:
        """Called by the worker when it starts."""
        input.unsafe_extern_functions[_NAME] = self._check
        return None


def check_here(signed: SignedDecision, occasion: Occasion) -> Heard | Refusal:
    """Whether the decision counts, by what this worker has."""
    check = cast("DecisionCheck | None", workflow.extern_functions().get(_NAME))
    if check is None:
        return Refusal(
            reason=RefusalReason.CANNOT_TELL,
            explanation="This worker has no keys to check decisions with; an operator must start it with them.",
        )
    return check(signed, occasion)
