"""Approvals and goals as the Temporal server says they are: no word of an input or of a query counts here.

What is read is each run's first event, and its description. No worker has to answer for that.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from hitl.approval.sequence import AnyPlan, read_any_plan
from workflows.approval.contracts import APPROVAL_WORKFLOW, ApprovalRequest

_NOT_THERE: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})
_PAGE: Final = 100
LATELY: Final = 10
"""Pages of a history that are read of a very long one."""
WHOLE: Final = 600
"""More than the longest has: the server ends a run that has fifty thousand events."""
Model = TypeVar("Model", bound=BaseModel)


class NotAnApproval(ValueError):
    """What was asked about is none, or nobody's goal waits for it. The message is for people."""


@dataclass(frozen=True, kw_only=True)
class FoundApproval:
    """One approval.

    Attributes:
        goal: Workflow id of its parent, by the server's word.
        request: What it was started with.
        plan: From the very bytes of the request.
        goal_start: The goal's first event.
    """

    id: str
    run_id: str
    running: bool
    status: WorkflowExecutionStatus
    opened_at: datetime
    goal: str
    goal_run_id: str
    goal_running: bool
    goal_start: HistoryEvent
    request: ApprovalRequest
    plan: AnyPlan


class Server:
    """Looks things up on one Temporal namespace.

    Args:
        client: Of Temporal.
        cluster: The cluster's id, as the server says it.
    """

    def __init__(self, client: Client, *, cluster: str) -> None:
        self.client = client
        self.cluster = cluster

    async def approval(self, approval_id: str, run_id: str | None = None) -> FoundApproval:
        """One approval; the newest run where none is named.

        Raises:
            NotAnApproval: There is none, or no goal asked for it.
            RPCError: The server cannot be reached.
        """
        found = await self.describe(approval_id, run_id)
        if found is None or found.workflow_type != APPROVAL_WORKFLOW:
            raise NotAnApproval(f"There is no approval {approval_id!r}; look at `/banksman approvals`.")
        if not found.parent_id or not found.parent_run_id:
            raise NotAnApproval(f"No goal asked for {approval_id!r}: somebody started it by hand. It approves nothing.")
        goal = await self.describe(found.parent_id, found.parent_run_id)
        if goal is None:
            raise NotAnApproval(f"The goal that asked for {approval_id!r} is gone; it approves nothing any more.")
        first = await self.first_event(approval_id, found.run_id)
        request, plan = await self._asked(approval_id, first)
        return FoundApproval(
            id=found.id,
            run_id=found.run_id,
            running=_runs(found),
            status=found.status or WorkflowExecutionStatus.RUNNING,
            opened_at=first.event_time.ToDatetime(tzinfo=UTC),
            goal=goal.id,
            goal_run_id=goal.run_id,
            goal_running=_runs(goal),
            goal_start=await self.first_event(goal.id, goal.run_id),
            request=request,
            plan=plan,
        )

    async def asked(self, approval_id: str, run_id: str) -> tuple[ApprovalRequest, AnyPlan]:
        """What an approval was started with, and nothing else of it: one question to the server.

        Raises:
            NotAnApproval: That cannot be read.
            RPCError: There is no such run, or the server cannot be reached.
        """
        return await self._asked(approval_id, await self.first_event(approval_id, run_id))

    async def _asked(self, approval_id: str, first: HistoryEvent) -> tuple[ApprovalRequest, AnyPlan]:
        given = first.workflow_execution_started_event_attributes.input.payloads
        try:
            request = await self._decoded(list(given), ApprovalRequest)
            return request, read_any_plan(request.plan)
        except ValueError as error:
            raise NotAnApproval(f"The plan of {approval_id!r} cannot be read, so nobody can approve it.") from error

    async def first_event(self, workflow_id: str, run_id: str) -> HistoryEvent:
        """How a run was started.

        Raises:
            RPCError: There is no such run, or the server cannot be reached.
        """
        answer = await self.client.workflow_service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace=self.client.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                maximum_page_size=1,
            )
        )
        return answer.history.events[0]

    async def newest_first(self, workflow_id: str, run_id: str, *, pages: int = LATELY) -> AsyncIterator[HistoryEvent]:
        """What happened in a run, the last thing first; of a very long one so many pages of a hundred things.

        Raises:
            RPCError: There is no such run, or the server cannot be reached.
        """
        token = b""
        for _ in range(pages):
            answer = await self.client.workflow_service.get_workflow_execution_history_reverse(
                GetWorkflowExecutionHistoryReverseRequest(
                    namespace=self.client.namespace,
                    execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                    maximum_page_size=_PAGE,
                    next_page_token=token,
                )
            )
            for event in answer.history.events:
                yield event
            token = answer.next_page_token
            if not token:
                return

    async def plain(self, payloads: list[Payload]) -> list[Payload]:
        """Payloads as they were before they were encrypted."""
        codec = self.client.data_converter.payload_codec
        return await codec.decode(payloads) if codec else payloads

    async def describe(self, workflow_id: str, run_id: str | None = None) -> WorkflowExecutionDescription | None:
        """A workflow; None where there is none of that id.

        Raises:
            RPCError: The server cannot be reached.
        """
        try:
            return await self.client.get_workflow_handle(workflow_id, run_id=run_id).describe()
        except RPCError as error:
            if error.status in _NOT_THERE:
                return None
            raise

    async def _decoded(self, payloads: list[Payload], model: type[Model]) -> Model:
        if len(payloads) != 1:
            raise ValueError("it was not started with one request")
        return model.model_validate_json((await self.plain(payloads))[0].data)


def quoted(text: str) -> str:
    """A text as a literal of a visibility query, whatever is in it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _runs(found: WorkflowExecutionDescription) -> bool:
    return found.status is WorkflowExecutionStatus.RUNNING
