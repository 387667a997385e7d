"""Tries a migration on a copy, which ends with its login as soon as it was tried."""

from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.leases.contracts import LeaseRequest
    from activities.neon.contracts import (
        CREATE_BRANCH,
        NEON_BRANCH,
        CreateNeonBranchRequest,
        LeasedBranch,
        NeonBranchCreated,
        NeonBranchSeen,
    )
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
    from activities.neon.migrations.contracts import (
        COMPARE_SCHEMA,
        LOOK_AT_SCHEMA,
        REHEARSE_MIGRATION,
        SEAL_LOGIN,
        CompareSchema,
        DatabasePlace,
        Rehearsed,
        RehearseMigration,
        SealLogin,
    )
    from activities.sandbox.contracts import Source
    from connectors.creation import mark
    from connectors.neon.purposes import Purpose
    from workflows.goal import StepWaits
    from workflows.leases.leasing import LeasingGoal
    from workflows.neon.goals import MigrateDatabaseInput
    from workflows.neon.migration_plan import Rehearsal
    from workflows.parking import Parking

_LASTS: Final = timedelta(hours=12)
"""At the longest: whoever waits for the sandbox does so for no longer."""


class RehearsalFailed(Exception):
    """The migration failed on the copy; the sentence says how."""


class Rehearsing:
    """Tries one migration for one goal.

    Args:
        goal: Takes the steps, and holds the leases.
        wanted: The migration.
        lasts: How long a copy lives at the longest.
        max_cu: The most of a copy's compute; None as the project says.
    """

    def __init__(
        self, goal: LeasingGoal, wanted: MigrateDatabaseInput, *, lasts: timedelta = _LASTS, max_cu: float | None = None
    ) -> None:
        self._goal: LeasingGoal = goal
        self._asked_for = wanted
        self._lasts, self._max_cu = lasts, max_cu

    async def rehearse(self, branch: NeonBranchSeen, source: Source) -> Rehearsal:
        """Try it on a fresh copy; where the sandbox fails, on another one.

        Raises:
            RehearsalFailed: The migration itself failed.
        """
        with Parking() as parking:
            while True:
                try:
                    return await self._rehearse_once(branch, source)
                except StepWaits as waits:
                    await self._goal.park(waits, parking)

    def new_part(self, what: str) -> str:
        """What tells one resource of this goal from all others, also of its other runs: nothing old is taken for it."""
        return f"{what}-{workflow.uuid4().hex[:12]}"

    def branch_lease(self, part: str, name: str, ends_at: datetime) -> LeaseRequest:
        """Of a branch of this goal."""
        marked = mark(workflow.info().workflow_id, part)
        leased = NEON_BRANCH.leased(LeasedBranch(project=self._asked_for.project, mark=marked), mark=marked, name=name)
        return NEON_BRANCH.lease(leased, now=workflow.now(), ends_at=ends_at)

    async def make_branch(
        self, part: str, name: str, *, of: NeonBranchSeen, ends_at: datetime, max_cu: float | None = None
    ) -> NeonBranchCreated:
        """A copy of a branch, in which nobody's logins work."""
        wanted = self._asked_for
        known_as = _known_as(name, part)
        made = await self._goal.step(
            CREATE_BRANCH,
            CreateNeonBranchRequest(
                project=wanted.project,
                branch=name,
                parent=of.id,
                expires_at=ends_at,
                max_cu=max_cu,
                part=part,
                known_as=known_as,
            ),
            summary=f"Make the branch {name}",
        )
        await self._goal.step(
            SWEEP_LOGINS,
            SweepLogins(project=wanted.project, branch=made.id, name=known_as),
            summary=f"End logins that {name} has of {of.name}",
        )
        return made

    async def _rehearse_once(self, branch: NeonBranchSeen, source: Source) -> Rehearsal:
        part = self.new_part("try")
        ends_at = (workflow.now() + self._lasts).replace(microsecond=0)
        name = f"rehearsal-{self._asked_for.database}-{part}"
        held = await self._goal.take_lease(self.branch_lease(part, name, ends_at))
        copy = await self.make_branch(part, name, of=branch, ends_at=ends_at, max_cu=self._max_cu)
        place = DatabasePlace(
            project=self._asked_for.project,
            branch=copy.id,
            database=self._asked_for.database,
            known_as=_known_as(name, part),
        )
        login = await self._goal.take_lease(_login_lease(place, part, ends_at))
        try:
            tried = await self._tried(place, part, source, base=branch.id or "")
        except (StepWaits, RehearsalFailed):
            await self._end_copy(login, held)
            raise
        await self._end_copy(login, held)
        return tried

    async def _tried(self, place: DatabasePlace, part: str, source: Source, *, base: str) -> Rehearsal:
        before = await self._goal.step(LOOK_AT_SCHEMA, place, summary="Look at the copy's schema")
        told = await self._run(place, part, source)
        if not told.ran.well:
            raise RehearsalFailed(f"the migration failed on a copy of the database: {told.ran.sentence()}")
        after = await self._goal.step(LOOK_AT_SCHEMA, place, summary="Look at the copy's schema after it")
        compared = await self._goal.step(
            COMPARE_SCHEMA, CompareSchema(**place.model_dump(), base=base), summary="Compare the two schemas"
        )
        return Rehearsal(before=before.digest, after=after.digest, told=told, compared=compared)

    async def _run(self, place: DatabasePlace, part: str, source: Source) -> Rehearsed:
        wanted = self._asked_for
        database = OpenDatabase(**place.model_dump(), purpose=Purpose.MIGRATE)
        await self._goal.step(OPEN_DATABASE, database, summary="Prepare the copy for a login")
        ends_at = (workflow.now() + self._lasts).replace(microsecond=0)
        await self._goal.step(
            ISSUE_LOGIN,
            IssueLogin(**database.model_dump(), ends_at=ends_at, part=part),
            summary="Issue a login to the copy",
        )
        sealed = await self._goal.step(
            SEAL_LOGIN, SealLogin(**place.model_dump(), part=part), summary="Seal the login for the sandbox"
        )
        told = await self._goal.attempt(
            REHEARSE_MIGRATION,
            RehearseMigration(
                **place.model_dump(),
                source=source,
                command=wanted.command,
                directory=wanted.directory or "",
                timeout_seconds=wanted.timeout_seconds,
                secrets=sealed.secrets,
            ),
            summary=f"Try the migration on a copy of {wanted.database}",
        )
        self._goal.end_if_cancelled()
        return told

    async def _end_copy(self, *leases: str) -> None:
        """The login first, for it cannot be ended where its database is gone with all traces."""
        for one in leases:
            await self._goal.end_lease(one)


def _known_as(name: str, part: str) -> str:
    """A branch's name without what was drawn for this run: by it, a rehearsal's branch is the real run's."""
    drawn = part.rpartition("-")[2]
    return name.removesuffix(drawn).rstrip("-")


def _login_lease(place: DatabasePlace, part: str, ends_at: datetime) -> LeaseRequest:
    marked = mark(workflow.info().workflow_id, part)
    leased = LeasedLogin(**place.model_dump(exclude={"known_as"}), purpose=Purpose.MIGRATE, mark=marked)
    name = f"{place.database} ({Purpose.MIGRATE})"
    return NEON_LOGIN.lease(NEON_LOGIN.leased(leased, mark=marked, name=name), now=workflow.now(), ends_at=ends_at)
