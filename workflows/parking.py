"""A goal that parks at a step, as people hear of it: one message for one parking, which says when it is over.

The message is left to a workflow of its own, so that no goal waits for Slack. It lives as long as the parking: the goal
cancels it when the step gets through, fails, or a person lets it go on, and the server does when the goal itself ends,
by a termination too. Whatever ended it, it says so then.
"""

import asyncio
import contextlib
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.presets import NOTIFY
    from activities.queues import TaskQueue
    from workflows.execute import execute
    from workflows.parked_contracts import PARKED_NOTICE, TELL_PARKED, TellParked, ToldParked

_TELLING: Final = timedelta(days=1)
"""Then it is left: a goal that is still parked has people told the next time that it parks."""
_AFTER_APPROVALS: Final = Priority(priority_key=4)
"""What people are asked to decide goes first, where very much is to be told at once."""


class Parking:
    """All the times that a goal parks at one step, tries it by itself, and parks again; over at the end of the block.

    Attributes:
        times: How often it has parked so far.
    """

    def __init__(self) -> None:
        self.times = 0
        self._notice: workflow.ChildWorkflowHandle[Any, Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over()

    def over(self) -> None:
        """What people were told of is no longer so. When it parks once more, they are told anew."""
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None

    async def tell(self, step: str) -> None:
        """Have people told, unless they are; returns when that was begun.

        Args:
            step: What it is parked at.
        """
        if self._notice is not None and not self._notice.done():
            return
        try:
            self._notice = await workflow.start_child_workflow(
                PARKED_NOTICE,
                TellParked(step=step),
                # Without the goal's own id, which may be as long as an id can be.
                id=f"parked/{workflow.uuid4()}",
                cancellation_type=ChildWorkflowCancellationType.TRY_CANCEL,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                static_summary="Announce parked goal",
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.warning("people are not told that it is parked: somebody holds the notice's id")
        else:
            self._notice.add_done_callback(_heard)


def _heard(notice: "asyncio.Task[Any]") -> None:
    """However a notice ended, nobody waits for it."""
    if not notice.cancelled():
        notice.exception()


@workflow.defn(name=PARKED_NOTICE)
class ParkedNoticeWorkflow:
    """Tells people that a goal is parked, and when it is cancelled, that it no longer is."""

    @workflow.run
    async def run(self, request: TellParked) -> None:
        """One message. Where nobody could be told, it ends."""
        post = asyncio.create_task(_tell(request, queue=TaskQueue.POSTS, within=_TELLING))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(post)
            await workflow.wait_condition(lambda: post.result() is None)
        if (told := await post) is not None:
            over = request.model_copy(update={"posted": told})
            await _tell(over, queue=TaskQueue.HITL, within=NOTIFY.schedule_to_close)


async def _tell(request: TellParked, *, queue: TaskQueue, within: timedelta) -> ToldParked | None:
    """Where people were told; None where they were not."""
    try:
        told = await execute(
            TELL_PARKED,
            request,
            queue=queue,
            preset=TELL_PARKED.preset.within(within),
            priority=_AFTER_APPROVALS,
            summary="Announce parked goal" if request.posted is None else "Announce resumed goal",
        )
    except ActivityError as error:
        workflow.logger.warning("people could not be told of a parked goal: %s", error.cause)
        return None
    return told if told.ts else None
