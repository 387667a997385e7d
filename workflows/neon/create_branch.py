"""The goal `CreateNeonBranch`: a branch with a compute and an end, whose connection lies in Vault."""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.leases.contracts import LeaseRequest
    from activities.neon.contracts import (
        CREATE_BRANCH,
        KEEP_CONNECTION,
        NEON_BRANCH,
        CreateNeonBranchRequest,
        KeepConnectionRequest,
        LeasedBranch,
    )
    from activities.neon.logins.contracts import SWEEP_LOGINS, SweepLogins
    from connectors.creation import mark
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.leases.leasing import LeasingGoal
    from workflows.neon.goals import CREATE_NEON_BRANCH, CreateNeonBranchInput, CreateNeonBranchResult

_IS_LEASED: Final = "a-branch-is-leased"
"""The patch: runs that began without it made a branch that no lease holds, with its parent's logins."""


@goal(CREATE_NEON_BRANCH)
class CreateNeonBranchWorkflow(LeasingGoal):
    """Take the lease, make the branch, keep what opens it, and let the lease end it at its time."""

    @workflow.init
    def __init__(self, request: CreateNeonBranchInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = CreateNeonBranchResult(project=request.project, name=request.name)

    @workflow.run
    async def run(self, request: CreateNeonBranchInput) -> CreateNeonBranchResult:
        """Make it; a refusal by the guard is a result, which says what was made before it and ends with the goal."""
        del request
        return await self.run_goal(
            self._create(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _create(self) -> CreateNeonBranchResult:
        wanted = self._wanted
        ends_at = (workflow.now() + timedelta(hours=wanted.hours)).replace(microsecond=0)
        leased = workflow.patched(_IS_LEASED)
        held = await self.take_lease(self._lease(ends_at)) if leased else ""
        made = await self.step(
            CREATE_BRANCH,
            CreateNeonBranchRequest(
                project=wanted.project,
                branch=wanted.name,
                parent=wanted.parent,
                expires_at=ends_at,
                max_cu=wanted.max_cu,
            ),
            summary=wanted.summary(),
        )
        self._result = self._result.model_copy(update=made.model_dump())
        if leased:
            await self.step(
                SWEEP_LOGINS,
                SweepLogins(project=wanted.project, branch=made.id, name=made.name),
                summary=f"End logins that {made.name} has of its parent",
            )
        kept = await self.step(
            KEEP_CONNECTION,
            KeepConnectionRequest(project=wanted.project, branch=made.id, database=wanted.database, name=made.name),
            summary=f"Keep the connection to {made.name} in Vault",
        )
        self._result = self._result.model_copy(update=kept.model_dump())
        if leased:
            await self.hand_over_lease(held)
            self._result = self._result.model_copy(update={"lease": held})
        return self._result

    def _lease(self, ends_at: datetime) -> LeaseRequest:
        marked = mark(workflow.info().workflow_id)
        place = LeasedBranch(project=self._wanted.project, mark=marked)
        leased = NEON_BRANCH.leased(place, mark=marked, name=self._wanted.name[:200])
        return NEON_BRANCH.lease(leased, now=workflow.now(), ends_at=ends_at)
