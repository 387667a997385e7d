"""The goal `DeleteBranch`: what would be lost is planned, people approve it, the branch goes at that commit."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import (
        DELETE_BRANCH,
        LOOK_AT_BRANCH,
        BranchDeleted,
        BranchSeen,
        DeleteBranchParameters,
        LookAtBranchRequest,
    )
    from activities.guard.error_types import ErrorType, application_error
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from hitl.hidden import visible
    from workflows.approval.approved_step import ENDS_FIRST, ApprovingGoal
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.repository.goals import DELETE_BRANCH as GOAL
    from workflows.repository.goals import DeleteBranchInput, DeleteBranchResult

_LISTED: Final = 20
_LOOK_OF_CANCELLED: Final = timedelta(minutes=5)
"""So long a goal that was cancelled looks what became of its branch."""


@goal(GOAL)
class DeleteBranchWorkflow(ApprovingGoal):
    """Delete a branch with people's consent, and look afterwards whether it is gone."""

    @workflow.init
    def __init__(self, request: DeleteBranchInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._seen = BranchSeen(head=None)

    @workflow.run
    async def run(self, request: DeleteBranchInput) -> DeleteBranchResult:
        """Plan, ask, delete, confirm; a refusal is a result, whoever refuses."""
        return await self.run_goal(
            self._delete(),
            denied=lambda reason: DeleteBranchResult(
                outcome=State.DENIED, reason=reason, repository=request.repository, branch=request.branch
            ),
        )

    async def _delete(self) -> DeleteBranchResult:
        wanted = self._wanted
        await self.approved_step(DELETE_BRANCH, self._plan, summary=wanted.summary(), confirm=self._confirm_gone)
        if workflow.patched(ENDS_FIRST):
            self.end_if_cancelled()
        if not self.confirmed:
            await self._require_gone()
        return DeleteBranchResult(
            repository=wanted.repository, branch=wanted.branch, head=self._seen.head, lost=self._seen.lost
        )

    async def _confirm_gone(self, plan: Plan, deleted: BranchDeleted) -> None:
        del plan, deleted  # the one is what was seen, and the other is believed in nothing
        cancelled = workflow.patched(ENDS_FIRST) and workflow.cancellation_reason() is not None
        async with asyncio.timeout(_LOOK_OF_CANCELLED.total_seconds() if cancelled else None):
            await self._require_gone()

    async def _require_gone(self) -> None:
        """Look, by another process with another credential: the one that destroys does not say what it did.

        A branch that stands elsewhere may never have been deleted: anybody's push moves it.
        """
        wanted = self._wanted
        after = await self._look(f"Verify {wanted.branch} is gone")
        if after.head is not None:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"{wanted.branch!r} of {wanted.repository!r} is said to be deleted and stands at {after.head}: either "
                "it was never deleted, or somebody made it again. Look at what happened there",
            )

    async def _plan(self) -> Plan:
        wanted, before = self._wanted, self._seen.head
        seen = self._seen = await self._look(f"List commits lost with {wanted.branch}")
        if seen.head is None:
            raise ApplicationError(
                f"{wanted.repository!r} has no branch {wanted.branch!r}"
                f"{' any more, since people were asked' if before else ''}: nothing is to be deleted",
                type=ErrorType.NOT_FOUND,
                non_retryable=True,
            )
        if seen.default:
            raise application_error(
                ErrorType.INVALID_REQUEST,
                f"{wanted.branch!r} is the default branch of {wanted.repository!r}, which GitHub deletes for nobody: "
                "make another branch the default first",
            )
        parameters = DeleteBranchParameters(repository=wanted.repository, branch=wanted.branch, expected_head=seen.head)
        return Plan(
            action="github.delete_branch",
            parameters=parameters.model_dump(),
            resources=_touched(wanted, seen),
            summary=_summary(wanted, seen),
            risk=Risk.HIGH if seen.lost else Risk.LOW,
        )

    async def _look(self, summary: str) -> BranchSeen:
        return await self.step(
            LOOK_AT_BRANCH,
            LookAtBranchRequest(repository=self._wanted.repository, branch=self._wanted.branch),
            summary=summary,
        )


def _touched(wanted: DeleteBranchInput, seen: BranchSeen) -> tuple[Resource, ...]:
    branch = Resource(kind="git branch", name=f"{wanted.repository} {visible(wanted.branch)}", change=Change.DELETE)
    commits = (Resource(kind="git commit", name=one.sha, change=Change.DELETE) for one in seen.commits)
    return (branch, *commits)


def _summary(wanted: DeleteBranchInput, seen: BranchSeen) -> tuple[str, ...]:
    first = f"Delete the branch {visible(wanted.branch)} of {wanted.repository}, at {str(seen.head)[:12]}"
    if not seen.lost:
        return (first, "Nothing is lost: other branches or tags hold all of its commits")
    lost = "1 commit is held by nothing else and is lost with it:"
    if seen.lost != 1:
        lost = f"{seen.lost} commits are held by nothing else and are lost with it:"
    listed = [f"{one.sha[:12]} {visible(one.subject)}".strip() for one in seen.commits[:_LISTED]]
    more = [f"and {seen.lost - len(listed)} more"] if seen.lost > len(listed) else []
    return (first, lost, *listed, *more)
