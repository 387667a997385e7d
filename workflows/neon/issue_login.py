"""The goal `IssueNeonLogin`: a login to one database for some hours, held by a lease from before it is there."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.leases.contracts import LeaseRequest
    from activities.neon.contracts import LOOK_AT_BRANCH, LookAtNeonBranch
    from activities.neon.logins.contracts import (
        ISSUE_LOGIN,
        NEON_LOGIN,
        OPEN_DATABASE,
        SWEEP_LOGINS,
        IssueLogin,
        LeasedLogin,
        OpenDatabase,
        SweepLogins,
    )
    from connectors.creation import mark
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.leases.leasing import LeasingGoal
    from workflows.neon.goals import ISSUE_NEON_LOGIN, IssueNeonLoginInput, IssueNeonLoginResult


@goal(ISSUE_NEON_LOGIN)
class IssueNeonLoginWorkflow(LeasingGoal):
    """Take the lease, prepare the database, issue the login, and let the lease end it at its time."""

    @workflow.init
    def __init__(self, request: IssueNeonLoginInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = IssueNeonLoginResult(
            project=request.project, branch=request.branch, database=request.database, purpose=request.purpose
        )

    @workflow.run
    async def run(self, request: IssueNeonLoginInput) -> IssueNeonLoginResult:
        """Issue it; a refusal by the guard is a result, and what was issued before it has ended with the goal."""
        del request
        return await self.run_goal(
            self._issue(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _issue(self) -> IssueNeonLoginResult:
        wanted = self._wanted
        database = OpenDatabase(
            project=wanted.project,
            branch=await self._branch(),
            database=wanted.database,
            purpose=wanted.purpose,
        )
        lease = self._lease(database)
        held = await self.take_lease(lease)
        await self.step(
            SWEEP_LOGINS,
            SweepLogins(project=database.project, branch=database.branch),
            summary=f"End logins of {wanted.branch} that nobody holds",
        )
        await self.step(OPEN_DATABASE, database, summary=f"Prepare {wanted.database} for logins")
        issued = await self.step(
            ISSUE_LOGIN,
            IssueLogin(**database.model_dump(), ends_at=lease.ends_at),
            summary=wanted.summary(),
        )
        # One that an earlier run had taken ends as that run's login would have: now there is one that lives as long.
        await self.take_lease(lease)
        await self.hand_over_lease(held)
        self._result = self._result.model_copy(update={"lease": held, **issued.model_dump()})
        return self._result

    async def _branch(self) -> str:
        wanted = self._wanted
        request = LookAtNeonBranch(project=wanted.project, branch=wanted.branch)
        seen = await self.step(LOOK_AT_BRANCH, request, summary=f"Look at {wanted.branch}")
        if seen.id is None:
            raise application_error(
                ErrorType.NOT_FOUND,
                f"{wanted.project!r} has no branch {wanted.branch!r}: look at its branches in Neon's console",
            )
        return seen.id

    def _lease(self, database: OpenDatabase) -> LeaseRequest:
        wanted, now, marked = self._wanted, workflow.now(), mark(workflow.info().workflow_id)
        place = LeasedLogin(**database.model_dump(), mark=marked)
        leased = NEON_LOGIN.leased(place, mark=marked, name=f"{wanted.database} ({wanted.purpose})")
        return NEON_LOGIN.lease(leased, now=now, ends_at=now + timedelta(hours=wanted.hours))
