"""Approvals that are started otherwise than goals start them: as somebody could who has a goals worker of their own."""

from collections.abc import Callable
from typing import Any

from temporalio.worker import (
    Interceptor,
    StartChildWorkflowInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ChildWorkflowHandle

from workflows.approval.contracts import APPROVAL_WORKFLOW, ApprovalRequest

Change = Callable[[StartChildWorkflowInput], None]


class StartedOtherwise(Interceptor):
    """Of a goals worker.

    Args:
        change: What is done to the start of each approval.
    """

    def __init__(self, change: Change) -> None:
        self._change = change

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - the SDK's
    ) -> type[WorkflowInboundInterceptor] | None:
        """Called by the worker when it starts."""
        del input
        change = self._change

        class Outbound(WorkflowOutboundInterceptor):
            async def start_child_workflow(
                self,
                input: StartChildWorkflowInput,  # noqa: A002 - the SDK's
            ) -> ChildWorkflowHandle[Any, Any]:
                if input.workflow == APPROVAL_WORKFLOW:
                    change(input)
                return await super().start_child_workflow(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


def asking_otherwise(**changes: object) -> Change:
    """Another request, which is not looked at before it is sent; of times of the rule, too."""

    def change(start: StartChildWorkflowInput) -> None:
        [asked] = start.args
        assert isinstance(asked, ApprovalRequest)
        of_rule = {name: value for name, value in changes.items() if name not in ApprovalRequest.model_fields}
        rule = asked.rule.model_copy(update=of_rule)
        start.args = [asked.model_copy(update={"rule": rule, **{k: changes[k] for k in changes.keys() - of_rule}})]

    return change
