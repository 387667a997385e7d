"""What follows from new commits in a pull request for what is under way on it.

Its jobs are told that it stands elsewhere. Where it is a bot's and somebody else pushed, its approvals are over: what
they approved could not be carried out anyway, since the head is a part of the plan and is looked at once more before
the merge. But nobody should go on deciding on it, and the goal should ask again at once.
"""

from typing import Final

import structlog
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from hitl.approval.sequence import AnyPlan, steps_of
from hitl.gateway.rule_changes import WAITING
from hitl.gateway.server import NotAnApproval, Server, quoted
from hitl.github.deputy import VoidedHead
from hitl.github.events import PullRequestEvent
from hitl.hidden import visible
from workflows.contracts import REPOSITORY_ATTRIBUTE
from workflows.github.job_contracts import GITHUB_JOB, GitHubJobInput, HeadMoved

_HEADS: Final = ("expected_head", "commit")
"""Parameters of plans that say at which commit something stands."""
_log = structlog.get_logger("banksman.github")


class Voiding:
    """Tells jobs and approvals of a head that is none any more.

    Args:
        server: Temporal.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    async def void(self, voided: VoidedHead) -> int:
        """Tell each approval of that head that it is over. How many there were.

        Raises:
            RPCError: The server cannot be reached.
        """
        told = 0
        async for one in self._server.client.list_workflows(WAITING):
            if await self._is_of(one, voided):
                told += await self._tell(one, voided)
        return told

    async def move(self, event: PullRequestEvent) -> int:
        """Tell each job on that pull request where it stands now. How many there were.

        Raises:
            RPCError: The server cannot be reached.
        """
        where = quoted(event.repository.full_name)
        query = f"WorkflowType = {quoted(GITHUB_JOB.name)} AND ExecutionStatus = 'Running'"
        told = 0
        async for one in self._server.client.list_workflows(f"{query} AND {REPOSITORY_ATTRIBUTE.name} = {where}"):
            if await self._number_of(one) == event.number:
                moved = HeadMoved(head=event.pull_request.head.sha)
                told += await self._signal(one, "head_moved", moved)
        return told

    async def _number_of(self, one: WorkflowExecution) -> int | None:
        first = await self._server.first_event(one.id, one.run_id)
        try:
            [plain] = await self._server.plain(list(first.workflow_execution_started_event_attributes.input.payloads))
            return GitHubJobInput.model_validate_json(plain.data).number
        except (ValueError, RuntimeError):  # anybody can start anything
            return None

    async def _is_of(self, one: WorkflowExecution, voided: VoidedHead) -> bool:
        try:
            _, plan = await self._server.asked(one.id, one.run_id)
        except NotAnApproval:  # anybody can start anything
            return False
        return is_of_head(plan, voided)

    async def _tell(self, one: WorkflowExecution, voided: VoidedHead) -> bool:
        where = f"#{voided.pull} of {voided.repository}"
        why = f"{visible(voided.by)} pushed to {where}: its head is {voided.after[:12]} now."
        told = await self._signal(one, "superseded", why)
        if told:
            _log.info("an approval counts no more: its head was pushed over", approval=one.id, pull=voided.pull)
        return told

    async def _signal(self, one: WorkflowExecution, name: str, said: str | HeadMoved) -> bool:
        """Whether there was still somebody to tell."""
        try:
            await self._server.client.get_workflow_handle(one.id, run_id=one.run_id).signal(name, said)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True


def is_of_head(plan: AnyPlan, voided: VoidedHead) -> bool:
    """Whether any step of the plan is about that head of that repository."""
    return any(
        str(step.parameters.get("repository", "")).lower() == voided.repository.lower()
        and any(step.parameters.get(name) == voided.before for name in _HEADS)
        for step in steps_of(plan)
    )
