"""The goal `DeleteNeonBranch`: a plan, people's approval, the branch of that id, and what opened it in Vault."""

import asyncio
import re
from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.neon.contracts import (
        DELETE_BRANCH,
        FORGET_CONNECTION,
        LOOK_AT_BRANCH,
        NEON_BRANCH,
        DeleteNeonBranchParameters,
        ForgetConnectionRequest,
        LeasedBranch,
        LookAtNeonBranch,
        NeonBranchDeleted,
        NeonBranchSeen,
    )
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from hitl.hidden import visible
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.leases.leasing import LeasingGoal
    from workflows.neon.goals import DELETE_NEON_BRANCH, DeleteNeonBranchInput, DeleteNeonBranchResult

_LOOK_OF_CANCELLED: Final = timedelta(minutes=5)
"""So long a goal that was cancelled looks what became of its branch."""
_ENDS_LEASE: Final = "a-deleted-branch-ends-its-lease"
"""The patch: runs that began without it left the lease to find at its time that the branch is gone."""
_OURS: Final = re.compile(r"banksman-[0-9a-f]{16}")
_MEGABYTE: Final = 1_000_000


@goal(DELETE_NEON_BRANCH)
class DeleteNeonBranchWorkflow(ApprovingGoal, LeasingGoal):
    """Delete a branch with people's consent, and look afterwards whether it is gone."""

    @workflow.init
    def __init__(self, request: DeleteNeonBranchInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._seen = NeonBranchSeen(id=None)
        self._result = DeleteNeonBranchResult(project=request.project, branch=request.branch)

    @workflow.run
    async def run(self, request: DeleteNeonBranchInput) -> DeleteNeonBranchResult:
        """Plan, ask, delete, confirm, forget; a refusal is a result, whoever refuses, and says what was deleted."""
        del request
        return await self.run_goal(
            self._delete(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _delete(self) -> DeleteNeonBranchResult:
        wanted = self._wanted
        await self.approved_step(DELETE_BRANCH, self._plan, summary=wanted.summary(), confirm=self._confirm_gone)
        self._result = self._result.model_copy(update={"id": self._seen.id, "name": self._seen.name})
        self.end_if_cancelled()
        await self.step(
            FORGET_CONNECTION,
            ForgetConnectionRequest(project=wanted.project, branch=self._seen.id or "", mark=self._seen.mark),
            summary=f"Remove the connection to {self._seen.name} from Vault",
        )
        if workflow.patched(_ENDS_LEASE) and _OURS.fullmatch(self._seen.mark):
            await self._end_lease()
        return self._result

    async def _end_lease(self) -> None:
        """Of the goal that made it, which has Vault forget the rest; where it had none, of our own."""
        place = LeasedBranch(project=self._wanted.project, mark=self._seen.mark)
        leased = NEON_BRANCH.leased(place, mark=place.mark, name=self._seen.name[:200])
        now = workflow.now()
        await self.end_lease(
            await self.take_lease(NEON_BRANCH.lease(leased, now=now, ends_at=now + _LOOK_OF_CANCELLED))
        )

    async def _confirm_gone(self, plan: Plan, deleted: NeonBranchDeleted) -> None:
        """Look, by another process with another credential: the one that destroys does not say what it did."""
        del deleted  # it is believed in nothing
        id_ = plan.parameters_as(DeleteNeonBranchParameters).branch
        cancelled = workflow.cancellation_reason() is not None
        async with asyncio.timeout(_LOOK_OF_CANCELLED.total_seconds() if cancelled else None):
            after = await self._look(id_, f"Verify {self._wanted.branch} is gone")
        if after.id is not None:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"the branch {id_!r} of {self._wanted.project!r} is said to be deleted and is there: either it was "
                "never deleted, or somebody recovered it. Look at what happened there",
            )

    async def _plan(self) -> Plan:
        wanted, asked_before = self._wanted, self._seen.id is not None
        seen = self._seen = await self._look(wanted.branch, f"Look at what goes with {wanted.branch}")
        _require_deletable(wanted, seen, asked_before=asked_before)
        parameters = DeleteNeonBranchParameters(account=wanted.project, branch=seen.id or "", name=seen.name)
        return Plan(
            action=DELETE_BRANCH.name,
            parameters=parameters.model_dump(),
            resources=(Resource(kind="Neon branch", name=visible(seen.name), change=Change.DELETE),),
            summary=_summary(wanted, seen),
            risk=Risk.MEDIUM,
        )

    async def _look(self, branch: str, summary: str) -> NeonBranchSeen:
        request = LookAtNeonBranch(project=self._wanted.project, branch=branch)
        return await self.step(LOOK_AT_BRANCH, request, summary=summary)


def _require_deletable(wanted: DeleteNeonBranchInput, seen: NeonBranchSeen, *, asked_before: bool) -> None:
    """Nobody is asked about what Neon deletes for nobody."""
    named = f"the branch {visible(seen.name)!r} of {wanted.project!r}"
    if seen.id is None:
        since = " any more, since people were asked" if asked_before else ""
        raise application_error(
            ErrorType.NOT_FOUND, f"{wanted.project!r} has no branch {wanted.branch!r}{since}: nothing is to be deleted"
        )
    if seen.default or seen.parent is None:
        raise application_error(
            ErrorType.INVALID_REQUEST, f"{named} is the default or a root branch, which Neon deletes for nobody"
        )
    if seen.protected:
        raise application_error(
            ErrorType.INVALID_REQUEST, f"{named} is protected: take that from it first, in Neon's console"
        )
    if seen.children:
        listed = ", ".join(map(visible, seen.children[:5]))
        raise application_error(
            ErrorType.INVALID_REQUEST, f"{named} has {len(seen.children)} children ({listed}): delete those first"
        )


def _summary(wanted: DeleteNeonBranchInput, seen: NeonBranchSeen) -> tuple[str, ...]:
    first = (
        f"Delete the branch {visible(seen.name)} of the Neon project {visible(seen.project_name)} ({wanted.project})"
    )
    size = f"{seen.size / _MEGABYTE:.1f} MB" if seen.size is not None else "of unknown size"
    made = f", made {seen.created_at:%Y-%m-%d %H:%M} UTC" if seen.created_at else ""
    ends = f"; it would end by itself {seen.expires_at:%Y-%m-%d %H:%M} UTC" if seen.expires_at else ""
    return (
        first[:500],
        f"A copy of {visible(seen.parent or '')}{made}, with {size} of data{ends}"[:500],
        "Whoever is connected to it is cut off. Neon keeps it for seven days, in which it can be recovered",
    )
