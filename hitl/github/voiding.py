"""Ends the approvals of a bot's pull request that was pushed over: what people said of its former head counts no more.

What they approved could not be carried out anyway, since the head is a part of the plan and is looked at once more
before the merge. But nobody should go on deciding on it, and the goal should ask again at once.
"""

from typing import Final

import structlog
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from hitl.approval.sequence import AnyPlan, steps_of
from hitl.gateway.rule_changes import WAITING
from hitl.gateway.server import NotAnApproval, Server
from hitl.github.deputy import VoidedHead
from hitl.hidden import visible

_HEADS: Final = ("head", "expected_head", "commit")
_log = structlog.get_logger("banksman.github")


class Voiding:
    """Looks for approvals of a head.

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

    async def _is_of(self, one: WorkflowExecution, voided: VoidedHead) -> bool:
        try:
            _, plan = await self._server.asked(one.id, one.run_id)
        except NotAnApproval:  # anybody can start anything
            return False
        return is_of_head(plan, voided)

    async def _tell(self, one: WorkflowExecution, voided: VoidedHead) -> bool:
        where = f"#{voided.pull} of {voided.repository}"
        why = f"{visible(voided.by)} pushed to {where}: its head is {voided.after[:12]} now."
        try:
            await self._server.client.get_workflow_handle(one.id, run_id=one.run_id).signal("superseded", why)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        _log.info("an approval counts no more: its head was pushed over", approval=one.id, pull=voided.pull)
        return True


def is_of_head(plan: AnyPlan, voided: VoidedHead) -> bool:
    """Whether any step of the plan is about that head of that repository."""
    return any(
        str(step.parameters.get("repository", "")).lower() == voided.repository.lower()
        and any(step.parameters.get(name) == voided.before for name in _HEADS)
        for step in steps_of(plan)
    )
