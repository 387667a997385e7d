"""The goal `MigrateDatabase`: tried on a copy, planned, approved, and carried out with a way back."""

from datetime import datetime, timedelta
from types import TracebackType

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import FETCH_REPOSITORY, FetchRepositoryRequest
    from activities.guard.error_types import ErrorType, application_error
    from activities.leases.contracts import LeaseRequest
    from activities.neon.contracts import LOOK_AT_BRANCH, LookAtNeonBranch, NeonBranchSeen
    from activities.neon.logins.contracts import OPEN_DATABASE, OpenDatabase
    from activities.neon.migrations.contracts import (
        LOOK_AT_SCHEMA,
        MIGRATE_DATABASE,
        DatabaseMigrated,
        DatabasePlace,
        MigrateDatabaseParameters,
    )
    from activities.sandbox.contracts import Source
    from activities.step_end import headline
    from connectors.neon.purposes import Purpose
    from hitl.approval.plan import Plan
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.contracts import State
    from workflows.goal import StepDenied
    from workflows.goal_type import goal
    from workflows.neon.goals import MIGRATE_DATABASE_GOAL, MigrateDatabaseInput, MigrateDatabaseResult
    from workflows.neon.migration_plan import Rehearsal, difference_lines, lock_line, plan_of
    from workflows.neon.rehearsal import RehearsalFailed, RehearsingGoal

_REPLANS = 2
"""How often it is tried and asked anew because the schema is not what was approved."""


class NothingToDo(Exception):
    """The copy is after the migration what it was before."""


@goal(MIGRATE_DATABASE_GOAL)
class MigrateDatabaseWorkflow(ApprovingGoal, RehearsingGoal):
    """Migrate a database with people's consent to what the migration was seen to do."""

    @workflow.init
    def __init__(self, request: MigrateDatabaseInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._branch = NeonBranchSeen(id=None)
        self._source = Source(repository=request.repository, commit="", pack="")
        self._part = ""
        self._digest = ""
        self._result = MigrateDatabaseResult(
            project=request.project,
            branch=request.branch,
            database=request.database,
            repository=request.repository,
        )

    @workflow.run
    async def run(self, request: MigrateDatabaseInput) -> MigrateDatabaseResult:
        """Try, plan, ask, migrate, look; a refusal is a result, whoever refuses, and so is a failed try."""
        del request
        return await self.run_goal(
            self._migrate(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _migrate(self) -> MigrateDatabaseResult:
        wanted = self._wanted
        await self._prepare()
        try:
            migrated = await self.approved_step(
                MIGRATE_DATABASE,
                self._plan,
                summary=wanted.summary(),
                under=lambda: WayBack(self),
                confirm=self._confirm,
                replans=_REPLANS,
            )
        except RehearsalFailed as failed:
            return self._result.model_copy(
                update={"outcome": State.REFUSED, "reason": f"{failed}. Nobody was asked, and nothing was changed."}
            )
        except NothingToDo:
            return self._result.model_copy(
                update={"reason": "On a copy the migration changed neither the schema nor what is recorded as done."}
            )
        return await self._ended(migrated)

    async def _prepare(self) -> None:
        """The commit, once for all; and the branch."""
        wanted = self._wanted
        fetched = await self.step(
            FETCH_REPOSITORY,
            FetchRepositoryRequest(repository=wanted.repository, ref=wanted.ref),
            summary=f"Fetch {wanted.repository}",
        )
        self._source = Source(repository=wanted.repository, commit=fetched.commit, pack=fetched.pack)
        self._result = self._result.model_copy(update={"commit": fetched.commit})
        seen = await self.step(
            LOOK_AT_BRANCH,
            LookAtNeonBranch(project=wanted.project, branch=wanted.branch),
            summary=f"Look at {wanted.branch}",
        )
        if seen.id is None:
            raise application_error(
                ErrorType.NOT_FOUND,
                f"{wanted.project!r} has no branch {wanted.branch!r}: look at its branches in Neon's console",
            )
        self._branch = seen

    async def _plan(self) -> Plan:
        tried = await self.rehearse(self._branch, self._source)
        self._told(tried)
        if tried.before == tried.after:
            raise NothingToDo
        self._part = self.new_part("back")
        return plan_of(self._wanted, self._branch, self._source, tried, way_back=self._way_back())

    def _told(self, tried: Rehearsal) -> None:
        self._digest = tried.before
        self._result = self._result.model_copy(
            update={
                "difference": difference_lines(tried.compared),
                "locks": tuple(map(lock_line, tried.told.locks)),
                "rehearsed_seconds": tried.told.ran.seconds,
                "said": tried.told.ran.stderr or tried.told.ran.stdout,
            }
        )

    def _way_back(self) -> str:
        return f"before-{self._source.commit[:12]}-{self._part}"

    async def prepare_way_back(self) -> None:
        """What is done with the consent, and before it is used: look again, open the database, keep it as it is.

        The branch is nobody's but its lease's from the moment that it is there: whatever becomes of this goal, it
        stays for as long as was said.

        Raises:
            ApplicationError: `Conflict`: the schema is not the one that was approved.
        """
        place = self._place()
        seen = await self.step(LOOK_AT_SCHEMA, place, summary="Look at the schema once more")
        if seen.digest != self._digest:
            raise application_error(
                ErrorType.CONFLICT,
                f"the schema of {self._wanted.database!r} is no longer the one that the migration was tried on",
            )
        database = OpenDatabase(**place.model_dump(), purpose=Purpose.MIGRATE)
        await self.step(OPEN_DATABASE, database, summary=f"Prepare {self._wanted.database} for a login")
        lease = self._back_lease()
        held = await self.take_lease(lease)
        made = await self.make_branch(self._part, self._way_back(), of=self._branch, ends_at=lease.ends_at)
        await self.hand_over_lease(held)
        self._result = self._result.model_copy(
            update={"way_back": made.name, "way_back_until": lease.ends_at, "lease": held}
        )

    async def drop_way_back(self) -> None:
        """Nothing was changed, so that nobody needs it."""
        if self._result.lease is None:
            return
        await self.end_lease(await self.take_lease(self._back_lease()))
        self._result = self._result.model_copy(update={"way_back": None, "way_back_until": None, "lease": None})

    def _back_lease(self) -> LeaseRequest:
        ends_at: datetime = self._result.way_back_until or (
            workflow.now() + timedelta(hours=self._wanted.way_back_hours)
        ).replace(microsecond=0)
        return self.branch_lease(self._part, self._way_back(), ends_at)

    async def _confirm(self, plan: Plan, migrated: DatabaseMigrated) -> None:
        """Look, by another process with another credential, whether the schema is what is said."""
        wanted = plan.parameters_as(MigrateDatabaseParameters)
        expected = {"completed": wanted.schema_after, "refused": wanted.schema_before}.get(migrated.way)
        if expected is None:
            return  # what is there is for a person to look at, and that is what people are told
        seen = await self.step(LOOK_AT_SCHEMA, wanted.place(), summary="Verify the schema")
        if seen.digest != expected:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"the migration of {wanted.resource!r} is said to be {headline(migrated.way)}, and the schema is "
                "another: look at what is there; the branch of the way back has it as it was",
            )

    async def _ended(self, migrated: DatabaseMigrated) -> MigrateDatabaseResult:
        end = migrated.end()
        if migrated.way == "refused":
            await self.drop_way_back()
        update: dict[str, object] = {
            "outcome": State(migrated.way),
            "reason": None if migrated.way == "completed" else f"The migration was {end.sentence()}. {end.next_step}",
            "next_step": end.next_step,
        }
        if migrated.ran is not None:
            said = migrated.ran.stderr or migrated.ran.stdout
            update |= {"seconds": migrated.ran.seconds, "said": said}
        return self._result.model_copy(update=update)

    def _place(self) -> DatabasePlace:
        return DatabasePlace(project=self._wanted.project, branch=self._branch.id or "", database=self._wanted.database)


class WayBack:
    """What stands around the approved step: the branch that has the database as it was."""

    def __init__(self, migrating: MigrateDatabaseWorkflow) -> None:
        self._goal = migrating

    async def __aenter__(self) -> None:
        """Make it."""
        await self._goal.prepare_way_back()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop it where the step surely did nothing; in every doubt it stays."""
        del kind, trace
        if isinstance(error, StepDenied) or (isinstance(error, ApplicationError) and error.type == ErrorType.CONFLICT):
            await self._goal.drop_way_back()
