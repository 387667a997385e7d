"""One migration of one goal: tried on a copy, planned, kept a way back from, and looked at; whoever has it approved."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.leases.contracts import LeaseRequest
    from activities.neon.contracts import LOOK_AT_BRANCH, LookAtNeonBranch, NeonBranchCreated, NeonBranchSeen
    from activities.neon.logins.contracts import OPEN_DATABASE, OpenDatabase
    from activities.neon.migrations.contracts import (
        LOOK_AT_SCHEMA,
        DatabaseMigrated,
        DatabasePlace,
        MigrateDatabaseParameters,
    )
    from activities.sandbox.contracts import Source
    from activities.step_end import headline
    from connectors.creation import mark
    from connectors.neon.purposes import Purpose
    from hitl.approval.plan import Plan
    from workflows.contracts import State
    from workflows.goal import StepDenied
    from workflows.leases.leasing import LeasingGoal
    from workflows.neon.goals import MigrateDatabaseInput, MigrateDatabaseResult
    from workflows.neon.migration_plan import Rehearsal, difference_lines, lock_line, plan_of, restore_command
    from workflows.neon.rehearsal import Rehearsing

_IS_LOOKED_AT: Final = "the-way-back-is-looked-at"
"""The patch: runs that began without it believed that the branch of the way back is there, and holds what it should."""
_SAME_TIME: Final = timedelta(minutes=1)


class NothingToMigrate(Exception):
    """The copy is after the migration what it was before.

    Args:
        schema: The digest of both.
    """

    def __init__(self, schema: str) -> None:
        super().__init__("it changes nothing")
        self.schema = schema


class NoWayBack(StepDenied):
    """Nothing could be kept to go back to, so that nothing is migrated; this sentence says why."""


class Migrating:
    """One migration.

    Args:
        goal: Takes the steps, and holds the leases.
        wanted: What is migrated, and how.
        rehearsing: Tries it.
    """

    def __init__(self, goal: LeasingGoal, wanted: MigrateDatabaseInput, rehearsing: Rehearsing | None = None) -> None:
        self._goal: LeasingGoal = goal
        self.wanted = wanted
        self._rehearsing = rehearsing or Rehearsing(goal, wanted)
        self._source = Source(repository=wanted.repository, commit="", pack="")
        self._branch = NeonBranchSeen(id=None)
        self._part = ""
        self._digest = ""
        self.result = MigrateDatabaseResult(
            project=wanted.project,
            branch=wanted.branch,
            database=wanted.database,
            repository=wanted.repository,
        )

    @property
    def branch(self) -> NeonBranchSeen:
        """What is migrated, as it was looked at."""
        return self._branch

    def tell(self, **update: object) -> None:
        """Something is known by now, for the result."""
        self.result = self.result.model_copy(update=update)

    async def look(self, source: Source) -> None:
        """Look at the branch, once, for this commit; the default one where none is named.

        Raises:
            ApplicationError: `NotFound`: it is not there.
        """
        wanted = self.wanted
        self._source = source
        self.tell(commit=source.commit)
        seen = await self._look_at(wanted.branch, f"Look at {wanted.branch}")
        if seen.id is None:
            raise application_error(
                ErrorType.NOT_FOUND,
                f"{wanted.project!r} has no branch {wanted.branch!r}: look at its branches in Neon's console",
            )
        self._branch = seen
        if not wanted.branch:
            self.wanted = wanted.model_copy(update={"branch": seen.name})
            self.tell(branch=seen.name)

    async def plan(self, *, why: str = "") -> Plan:
        """Try it, and plan what it was seen to do.

        Args:
            why: One line for people, first in the plan.

        Raises:
            RehearsalFailed: It failed on the copy.
            NothingToMigrate: It changes nothing.
        """
        tried = await self._rehearsing.rehearse(self._branch, self._source)
        self._told(tried)
        if tried.before == tried.after:
            raise NothingToMigrate(tried.before)
        self._part = self._rehearsing.new_part("back")
        return plan_of(self.wanted, self._branch, self._source, tried, way_back=self._way_back(), why=why)

    async def require_unmoved(self) -> None:
        """Look whether branch and schema are what it was tried on.

        Raises:
            ApplicationError: `Conflict`: they are not.
        """
        wanted = self.wanted
        seen = await self._look_at(self._branch.id or "", f"Look at {wanted.branch} once more")
        if (seen.id, seen.name) != (self._branch.id, self._branch.name):
            raise application_error(
                ErrorType.CONFLICT,
                f"the branch {wanted.branch!r} of {wanted.project!r} is not the one any more that the migration was "
                "tried on",
            )
        await self._require_schema(self.place)

    def around(self) -> AbstractAsyncContextManager[None]:
        """What stands around the approved step: the branch that has the database as it was."""
        return _WayBack(self)

    async def prepare_way_back(self) -> None:
        """What is done with the consent, and before it is used: look again, open the database, keep it as it is.

        The branch is nobody's but its lease's from the moment that it is there: whatever becomes of this goal, it
        stays for as long as was said.

        Raises:
            NoWayBack: It cannot be kept.
            ApplicationError: `Conflict`: the schema is not the one that was approved.
        """
        await self._require_schema(self.place)
        database = OpenDatabase(**self.place.model_dump(), purpose=Purpose.MIGRATE)
        await self._goal.step(OPEN_DATABASE, database, summary=f"Prepare {self.wanted.database} for a login")
        lease = self._back_lease()
        held = await self._goal.take_lease(lease)
        try:
            made = await self._rehearsing.make_branch(
                self._part, self._way_back(), of=self._branch, ends_at=lease.ends_at
            )
            if workflow.patched(_IS_LOOKED_AT):
                await self._require_way_back(made, lease.ends_at)
        except (ApplicationError, StepDenied) as error:
            await self._goal.end_lease(held)
            raise NoWayBack(
                f"{self.wanted.database} is not migrated, for it cannot be kept as it is now: {error}"
            ) from error
        await self._goal.hand_over_lease(held)
        self.tell(
            way_back=made.name,
            way_back_until=lease.ends_at,
            lease=held,
            restore=restore_command(self.wanted.project, self._branch.name, made.name),
        )

    async def drop_way_back(self) -> None:
        """Nothing was changed, so that nobody needs it."""
        if self.result.lease is None:
            return
        await self._goal.end_lease(await self._goal.take_lease(self._back_lease()))
        self.tell(way_back=None, way_back_until=None, lease=None, restore="")

    async def confirm(self, plan: Plan, migrated: DatabaseMigrated) -> None:
        """Look, by another process with another credential, whether the schema is what is said.

        Raises:
            ApplicationError: `OutcomeUnknown`: it is not.
        """
        wanted = plan.parameters_as(MigrateDatabaseParameters)
        expected = {"completed": wanted.schema_after, "refused": wanted.schema_before}.get(migrated.way)
        if expected is None:
            return  # what is there is for a person to look at, and that is what people are told
        seen = await self._goal.step(LOOK_AT_SCHEMA, wanted.place(), summary="Verify the schema")
        if seen.digest != expected:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"the migration of {wanted.resource!r} is said to be {headline(migrated.way)}, and the schema is "
                "another: look at what is there; the branch of the way back has it as it was",
            )

    async def ended(self, migrated: DatabaseMigrated) -> MigrateDatabaseResult:
        """The result, by what the step says; without the way back where nothing was changed."""
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
        self.tell(**update)
        return self.result

    @property
    def place(self) -> DatabasePlace:
        """The database."""
        return DatabasePlace(project=self.wanted.project, branch=self._branch.id or "", database=self.wanted.database)

    @property
    def schema_before(self) -> str:
        """The digest of the schema that it was tried on."""
        return self._digest

    def _told(self, tried: Rehearsal) -> None:
        self._digest = tried.before
        self.tell(
            difference=difference_lines(tried.compared),
            locks=tuple(map(lock_line, tried.told.locks)),
            rehearsed_seconds=tried.told.ran.seconds,
            said=tried.told.ran.stderr or tried.told.ran.stdout,
        )

    def _way_back(self) -> str:
        return f"before-{self._source.commit[:12]}-{self._part}"

    def _back_lease(self) -> LeaseRequest:
        ends_at: datetime = self.result.way_back_until or (
            workflow.now() + timedelta(hours=self.wanted.way_back_hours)
        ).replace(microsecond=0)
        return self._rehearsing.branch_lease(self._part, self._way_back(), ends_at)

    async def _look_at(self, branch: str, summary: str) -> NeonBranchSeen:
        return await self._goal.step(
            LOOK_AT_BRANCH, LookAtNeonBranch(project=self.wanted.project, branch=branch), summary=summary
        )

    async def _require_schema(self, place: DatabasePlace) -> None:
        seen = await self._goal.step(LOOK_AT_SCHEMA, place, summary="Look at the schema once more")
        if seen.digest != self._digest:
            raise application_error(
                ErrorType.CONFLICT,
                f"the schema of {self.wanted.database!r} is no longer the one that the migration was tried on",
            )

    async def _require_way_back(self, made: NeonBranchCreated, ends_at: datetime) -> None:
        """Look, with a credential that only reads, whether it is there, of this goal, long enough, and as it should be.

        Raises:
            ApplicationError: It is not.
        """
        seen = await self._look_at(made.id, f"Look at the way back {made.name}")
        marked = mark(workflow.info().workflow_id, self._part)
        if (seen.id, seen.parent, seen.mark) != (made.id, self._branch.name, marked):
            why = "is not there" if seen.id is None else f"is no copy of {self._branch.name!r} of this goal's"
        elif seen.expires_at is not None and seen.expires_at < ends_at - _SAME_TIME:
            why = f"ends at {seen.expires_at:%Y-%m-%d %H:%M} UTC, and was to last until {ends_at:%Y-%m-%d %H:%M} UTC"
        else:
            place = self.place.model_copy(update={"branch": made.id})
            kept = await self._goal.step(LOOK_AT_SCHEMA, place, summary="Look at the schema of the way back")
            if kept.digest == self._digest:
                return
            why = "has another schema than the database"
        raise application_error(ErrorType.OUTCOME_UNKNOWN, f"the branch {made.name!r} {why}")


class _WayBack:
    """What stands around the approved step: the branch that has the database as it was."""

    def __init__(self, migrating: Migrating) -> None:
        self._migrating = migrating

    async def __aenter__(self) -> None:
        """Make it."""
        await self._migrating.prepare_way_back()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop it where the step surely did nothing; in every doubt it stays."""
        del kind, trace
        if isinstance(error, StepDenied) or (isinstance(error, ApplicationError) and error.type == ErrorType.CONFLICT):
            await self._migrating.drop_way_back()
