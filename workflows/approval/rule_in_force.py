"""Whether an approval still asks by the rule that is in force: the step that said who approves says so again."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.approvals.contracts import RESOLVE_RULE, ResolveRule
    from activities.guard.error_types import ErrorType
    from workflows.approval.contracts import ApprovalRequest
    from workflows.execute import execute

_PATIENCE: Final = timedelta(hours=1)


async def why_another_rule(request: ApprovalRequest) -> str | None:
    """Why people have to be asked again; None where nothing has changed, and where nobody can tell now.

    Raises:
        asyncio.CancelledError: The approval has ended meanwhile.
    """
    try:
        found = await execute(
            RESOLVE_RULE,
            ResolveRule(plan=request.plan, path=request.rule.path),
            preset=RESOLVE_RULE.preset.within(_PATIENCE),
            summary="Verify approval rule",
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
