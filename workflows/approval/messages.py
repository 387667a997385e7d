"""What people are shown of an approval: steps of the gateway, for which no approval and no goal waits."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from workflows.approval.contracts import (
        NOTICE_WORKFLOW,
        POST_APPROVAL,
        UPDATE_APPROVAL,
        ApprovalState,
        PostApproval,
        PostedApproval,
        UpdateApproval,
    )
    from workflows.contracts import STATE_ATTRIBUTE
    from workflows.execute import execute

_TRY_AGAIN: Final = timedelta(hours=1)


async def post(request: PostApproval) -> PostedApproval:
    """Show it to people, for the first time."""
    return await execute(POST_APPROVAL, request, summary="Post approval")


async def update(request: UpdateApproval) -> None:
    """Show how it stands now."""
    await execute(UPDATE_APPROVAL, request, summary=f"Update approval message: {in_words(request.view.state)}")


async def try_again_later(error: ActivityError) -> None:
    """Wait: the gateway refuses for good, as for a channel that is not there, and somebody may mend it.

    Raises:
        asyncio.CancelledError: The approval has ended meanwhile.
    """
    if is_cancelled_exception(error):
        raise asyncio.CancelledError from error
    workflow.logger.warning("people could not be told; tried again in an hour: %s", error.cause)
    await workflow.sleep(_TRY_AGAIN)


async def tell(last: UpdateApproval, *, what: str) -> None:
    """Leave a message to a workflow of its own, so that nothing ends later because Slack is away.

    Returns when that has started: the server drops a child whose parent ends in the same task, whatever its close
    policy says.

    Args:
        last: How it stands. How the approved step ended, once it has, is also a search attribute of the notice, so that
            lists need not read it.
        what: One word for the id.
    """
    ended = TypedSearchAttributes([SearchAttributePair(STATE_ATTRIBUTE, last.end)]) if last.end else None
    await workflow.start_child_workflow(
        NOTICE_WORKFLOW,
        last,
        # Never a fixed id: a run that was reset would meet the message of the run before.
        id=f"{last.view.id}/{what}/{workflow.uuid4()}",
        parent_close_policy=ParentClosePolicy.ABANDON,
        search_attributes=ended,
        static_summary=f"Announce: {in_words(last.view.state)}",
    )


def in_words(state: ApprovalState) -> str:
    """A state as people say it."""
    return state.value.replace("_", " ")


@workflow.defn(name=NOTICE_WORKFLOW)
class ApprovalNoticeWorkflow:
    """Brings an ended approval's message up to date, however long the gateway is away."""

    @workflow.run
    async def run(self, last: UpdateApproval) -> None:
        """One message."""
        await update(last)
