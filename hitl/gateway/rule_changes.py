"""Tells approvals that wait that the policy is another one now: they look for themselves whether their rule is.

Without it they notice at their own next look, hours later. Nothing is decided here, and nothing costs an approval
whose rule has stayed a single event.
"""

import asyncio
from typing import Final, Never

import structlog
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError

from hitl.approval.sequence import AnyPlan, steps_of
from hitl.gateway.decisions import PolicyInForce
from hitl.gateway.server import Server
from hitl.policy.file import PolicyError
from hitl.policy.rules import Deny, Policy, evaluate
from hitl.policy.together import policy_for, rule_for
from hitl.protocol import Effect, Refusal
from workflows.approval.contracts import APPROVAL_WORKFLOW, ApprovalRequest
from workflows.contracts import STATE_ATTRIBUTE, State

_EVERY_S: Final = 20.0
_LOOKS: Final = 3
"""After each change: the processes that say who approves may see the file later than this one."""
WAITING: Final = (
    f"WorkflowType = '{APPROVAL_WORKFLOW}' AND ExecutionStatus = 'Running' "
    f"AND {STATE_ATTRIBUTE.name} = '{State.WAITING}'"
)
"""The approvals that people can decide on."""
_log = structlog.get_logger("banksman.gateway")


class RuleChanges:
    """Looks now and then at the policy, and only where it changed at the approvals.

    Args:
        server: Temporal.
        policy: In force here.
        every: Seconds between two looks.
    """

    def __init__(self, server: Server, policy: PolicyInForce, *, every: float = _EVERY_S) -> None:
        self._server = server
        self._policy = policy
        self._every = every
        self._seen: Policy | None = None
        self._looks = 0

    async def run(self) -> Never:
        """For as long as the process lives."""
        while True:
            try:
                await self.look()
            except RPCError as error:
                _log.warning("approvals were not told of the policy", why=error.message)
            except PolicyError as error:
                _log.warning("the policy cannot be read now", why=str(error))
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """One look; the first one is at what changed while no gateway ran.

        Raises:
            PolicyError: The policy cannot be read now.
            RPCError: The server cannot be reached.
        """
        policy = self._policy.current()
        if policy != self._seen:
            self._seen, self._looks = policy, _LOOKS
        if self._looks <= 0:
            return
        async for one in self._server.client.list_workflows(WAITING):
            try:
                await self._tell(one, policy)
            except Exception as error:  # noqa: BLE001 - anybody can start anything: one must not keep it from the others
                _log.warning("an approval could not be told of the policy", workflow_id=one.id, why=str(error))
        self._looks -= 1

    async def _tell(self, waiting: WorkflowExecution, policy: Policy) -> None:
        request, plan = await self._server.asked(waiting.id, waiting.run_id)
        if self._asks_otherwise(request, plan, policy):
            handle = self._server.client.get_workflow_handle(waiting.id, run_id=waiting.run_id)
            await handle.signal("policy_changed")
            _log.info("an approval was told that the policy changed", approval=waiting.id)

    def _asks_otherwise(self, request: ApprovalRequest, plan: AnyPlan, policy: Policy) -> bool:
        """Whether people would not be asked like this today."""
        environment, rule = self._policy.environment, request.rule
        policy = policy_for(policy, plan.tightening)
        for step in steps_of(plan):
            context, destroys = step.policy_context(), Effect.DESTRUCTIVE
            if isinstance(evaluate(policy, environment, action=step.action, effect=destroys, context=context), Deny):
                return True
        now = rule_for(policy, environment, plan=plan, path=rule.path)
        return isinstance(now, Refusal) or now.digest(environment, plan.action) != rule.digest
