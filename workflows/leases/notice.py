"""Tells people of a lease that cannot be ended, and when it has ended after all.

It lives as long as the lease, so that no lease waits for Slack: the server cancels it when the lease closes.
"""

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.presets import NOTIFY
    from activities.queues import TaskQueue
    from workflows.execute import execute
    from workflows.leases.contracts import LEASE_NOTICE, TELL_LEASE, TellLease, ToldLease

_TELLING: Final = timedelta(days=1)
"""Then it is left: a lease that is still stuck has people told anew the next time that it is tried."""


@workflow.defn(name=LEASE_NOTICE)
class LeaseNoticeWorkflow:
    """One message, and its change at the end."""

    @workflow.run
    async def run(self, request: TellLease) -> None:
        """Where nobody could be told, it ends."""
        post = asyncio.create_task(_tell_lease(request, queue=TaskQueue.POSTS, within=_TELLING))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(post)
            await workflow.wait_condition(lambda: post.result() is None)
        if (told := await post) is not None:
            over = request.model_copy(update={"posted": told})
            await _tell_lease(over, queue=TaskQueue.HITL, within=NOTIFY.schedule_to_close)


async def _tell_lease(request: TellLease, *, queue: TaskQueue, within: timedelta) -> ToldLease | None:
    """Where people were told; None where they were not."""
    try:
        told = await execute(
            TELL_LEASE,
            request,
            queue=queue,
            preset=TELL_LEASE.preset.within(within),
            summary="Announce stuck lease" if request.posted is None else "Announce ended lease",
        )
    except ActivityError as error:
        workflow.logger.warning("people could not be told of a lease: %s", error.cause)
        return None
    return told if told.ts else None
