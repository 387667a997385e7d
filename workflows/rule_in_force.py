"""Whether an approval still asks by the rule that is in force: the step that said who approves says so again."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.approval_rules import ApprovalRuleActivities
    from activities.error_types import ErrorType
    from activities.queues import TaskQueue
    from activities.resolved_rule import ResolveRule
    from workflows.approval_contracts import ApprovalRequest
    from workflows.policies import READ

_PATIENCE: Final = timedelta(hours=1)


async def why_another_rule(request: ApprovalRequest) -> str | None:
    """Why people have to be asked again; None where nothing has changed, and where nobody can tell now.

    Raises:
        asyncio.CancelledError: The approval has ended meanwhile.
    """
    try:
        found = await workflow.execute_activity_method(
            ApprovalRuleActivities.resolve_rule,
            ResolveRule(plan=request.plan, path=request.rule.path),
            task_queue=TaskQueue.CONNECTORS,
            start_to_close_timeout=READ.start_to_close,
            schedule_to_close_timeout=_PATIENCE,
            heartbeat_timeout=READ.heartbeat,
            retry_policy=READ.retry,
            summary="Is it still the same rule?",
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        cause = error.cause if isinstance(error, ActivityError) else error
        if isinstance(cause, ApplicationError) and cause.type == ErrorType.POLICY_DENIED:
            return f"The policy changed: {cause.message}"
        workflow.logger.warning("nobody could tell whether the rule is still the same: %s", cause)
        return None
    return changed(request) if found.digest != request.rule.digest else None


def changed(request: ApprovalRequest) -> str:
    """That another rule is in force, for people."""
    return f"The rule changed: {request.rule.name} asked for this, and is no longer as it was then."
