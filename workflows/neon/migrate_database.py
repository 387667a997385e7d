"""The goal `MigrateDatabase`: tried on a copy, planned, approved, and carried out with a way back."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import FETCH_REPOSITORY, FetchRepositoryRequest
    from activities.neon.migrations.contracts import MIGRATE_DATABASE
    from activities.sandbox.contracts import Source
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.leases.leasing import LeasingGoal
    from workflows.neon.goals import MIGRATE_DATABASE_GOAL, MigrateDatabaseInput, MigrateDatabaseResult
    from workflows.neon.migrating import Migrating, NothingToMigrate
    from workflows.neon.rehearsal import RehearsalFailed

_REPLANS = 2
"""How often it is tried and asked anew because the schema is not what was approved."""


@goal(MIGRATE_DATABASE_GOAL)
class MigrateDatabaseWorkflow(ApprovingGoal, LeasingGoal):
    """Migrate a database with people's consent to what the migration was seen to do."""

    @workflow.init
    def __init__(self, request: MigrateDatabaseInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._migrating = Migrating(self, request)

    @workflow.run
    async def run(self, request: MigrateDatabaseInput) -> MigrateDatabaseResult:
        """Try, plan, ask, migrate, look; a refusal is a result, whoever refuses, and so is a failed try."""
        del request
        return await self.run_goal(self._migrate(), denied=lambda reason: self._result(State.DENIED, reason))

    async def _migrate(self) -> MigrateDatabaseResult:
        wanted, migrating = self._wanted, self._migrating
        await self._prepare()
        try:
            migrated = await self.approved_step(
                MIGRATE_DATABASE,
                migrating.plan,
                summary=wanted.summary(),
                under=migrating.around,
                confirm=migrating.confirm,
                replans=_REPLANS,
            )
        except RehearsalFailed as failed:
            return self._result(State.REFUSED, f"{failed}. Nobody was asked, and nothing was changed.")
        except NothingToMigrate:
            return migrating.result.model_copy(
                update={"reason": "On a copy the migration changed neither the schema nor what is recorded as done."}
            )
        return await migrating.ended(migrated)

    async def _prepare(self) -> None:
        """The commit, once for all; and the branch."""
        wanted = self._wanted
        fetched = await self.step(
            FETCH_REPOSITORY,
            FetchRepositoryRequest(repository=wanted.repository, ref=wanted.ref),
            summary=f"Fetch {wanted.repository}",
        )
        await self._migrating.look(Source(repository=wanted.repository, commit=fetched.commit, pack=fetched.pack))

    def _result(self, outcome: State, reason: str) -> MigrateDatabaseResult:
        return self._migrating.result.model_copy(update={"outcome": outcome, "reason": reason})
