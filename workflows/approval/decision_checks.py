"""How an approval is given its worker's key ring and policy, which live outside the workflow sandbox.

An interceptor hands one function in. Its modules, and `cryptography` below them, are those of the process: imported a
second time by the sandbox, `cryptography`'s native half ends the process at the first bad signature.
"""

from temporalio.worker import Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

from workflows.approval.check_decision import CHECK, DecisionCheck


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
        input.unsafe_extern_functions[CHECK] = self._check
        return None
