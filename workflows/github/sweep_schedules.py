"""The sweep of a schedule: the schedules of all repositories are held against their files, a few at a time.

Not a goal: nobody asks for it. A push of the file does the same at once; this is for what was pushed while nobody
listened, and for a policy that changed.
"""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.github.name_contracts import FIND_REPOSITORIES, FindRepositoriesRequest
    from workflows.execute import execute
    from workflows.github.contracts import DeliveryResult
    from workflows.github.scheduled_contracts import (
        FIND_SCHEDULING,
        SCHEDULED_WORKFLOW,
        SWEEP_SCHEDULES,
        FindScheduling,
        ScheduledInput,
        SweepSchedulesResult,
    )
    from workflows.leases.lease import why_failed

MOST_REPOSITORIES: Final = 500
_AT_ONCE: Final = 5


@workflow.defn(name=SWEEP_SCHEDULES)
class SweepGitHubSchedulesWorkflow:
    """One sweep."""

    def __init__(self) -> None:
        self._failed: list[str] = []
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @workflow.run
    async def run(self) -> SweepSchedulesResult:
        """Look. What cannot be looked at is left for the next sweep."""
        try:
            names = await execute(
                FIND_REPOSITORIES,
                FindRepositoriesRequest(most=MOST_REPOSITORIES),
                summary="List the repositories",
            )
            request = FindScheduling(repositories=names.repositories)
            found = await execute(FIND_SCHEDULING, request, summary="Tell which of them may schedule")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return SweepSchedulesResult(unseen=why_failed(error))
        await asyncio.gather(*(self._hold(one) for one in found.repositories))
        return SweepSchedulesResult(looked_at=len(found.repositories), failed=tuple(sorted(self._failed)))

    async def _hold(self, repository: str) -> None:
        async with self._turns:
            try:
                await workflow.execute_child_workflow(
                    SCHEDULED_WORKFLOW,
                    ScheduledInput(repository=repository),
                    id=f"{workflow.info().workflow_id}/{repository}",
                    result_type=DeliveryResult,
                    static_summary=f"Hold the schedules of {repository} against its file",
                )
            except ChildWorkflowError as error:
                if is_cancelled_exception(error):
                    raise
                self._failed.append(repository)
