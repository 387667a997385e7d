"""The schema's part of a deployment: each database tried on a copy before people are asked, and how it goes back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType
    from activities.neon.migrations.contracts import MIGRATE_DATABASE, MigrateDatabaseParameters
    from hitl.approval.plan import Plan
    from hitl.hidden import unhidden, visible
    from workflows.approval.approved_steps import ApprovedSteps
    from workflows.contracts import State
    from workflows.deploy_feature.databases import Database, databases_of, migration_input
    from workflows.deploy_feature.feature import Feature, Stopped
    from workflows.deploy_feature.goals import MigrationTold
    from workflows.deploy_feature.timeline import Timeline
    from workflows.leases.leasing import LeasingGoal
    from workflows.manifest.commands import Command
    from workflows.manifest.manifest import SchemaRollback
    from workflows.neon.goals import MigrateDatabaseResult
    from workflows.neon.migrating import Migrating, NothingToMigrate
    from workflows.neon.migration_plan import restore_command
    from workflows.neon.rehearsal import RehearsalFailed, Rehearsing

_APPLIED: Final = {
    State.COMPLETED: "yes",
    State.REFUSED: "no",
    State.PARTIALLY_APPLIED: "partially",
    State.UNKNOWN: "unknown",
}
_SHOWN_LOCKS: Final = 3
_SHOWN_LINES: Final = 8


@dataclass(kw_only=True)
class MigrationWork:
    """One database: what its migration was seen to do, and what came of it.

    Attributes:
        database: By the manifest.
        migrating: Takes its steps.
        told: For the result.
        plan: Its step in the plan that people are asked about; None where there is nothing to do.
    """

    database: Database
    migrating: Migrating
    told: MigrationTold
    plan: Plan | None = None

    @property
    def environment(self) -> str:
        """The first that uses it: it is migrated before that one's update."""
        return self.database.environments[0]

    @property
    def name(self) -> str:
        """For people."""
        return f"the schema of {self.environment}"

    def use_in(self, environments: tuple[str, ...]) -> None:
        """These use it as well."""
        self.database = replace(self.database, environments=(*self.database.environments, *environments))
        self.tell(environments=self.database.environments)

    def tell(self, **update: object) -> None:
        """Something is known by now, for the result."""
        self.told = self.told.model_copy(update=update)

    def tell_result(self, result: MigrateDatabaseResult) -> None:
        """What is known of the migration by now."""
        names = MigrationTold.model_fields.keys() & type(result).model_fields.keys() - {"database"}
        self.tell(**{name: getattr(result, name) for name in names})


class Migrations:
    """Those of one goal.

    Args:
        goal: Takes the steps, and holds the leases.
        timeline: Shows them.
    """

    def __init__(self, goal: LeasingGoal, timeline: Timeline) -> None:
        self._goal: LeasingGoal = goal
        self._timeline = timeline

    async def prepare(self, feature: Feature) -> tuple[MigrationWork, ...]:
        """Try each on a copy of its database, one after another.

        Raises:
            Stopped: One failed there, or its database is not there.
            StepDenied: The guard refused something.
            ApplicationError: A step failed for good.
        """
        migrate, works = feature.manifest.migrate, list[MigrationWork]()
        if migrate is None:
            return ()
        for database in databases_of(feature.manifest, feature.environments):
            with self._timeline.step(f"rehearse {database.environments[0]}") as step:
                work = await self._looked_at(feature, database, migrate)
                if (same := next((one for one in works if _same(one, work)), None)) is not None:
                    same.use_in(database.environments)
                    continue
                if (why := await self._tried(work)) is not None:
                    step.failed(why)
                    raise Stopped(State.REFUSED, f"{work.told.database}: {why}. Nothing was changed")
            works.append(work)
        return tuple(works)

    async def down(self, feature: Feature, work: MigrationWork, command: Command) -> MigrationWork:
        """Try on a copy what undoes a migration that was carried out, on the schema that is there now.

        Raises:
            RehearsalFailed: It failed there.
            NothingToMigrate: It changes nothing.
        """
        back = await self._looked_at(feature, work.database, command)
        with self._timeline.step(f"rehearse undo {work.environment}"):
            await self._plan(back, why=f"Undo the migration by {feature.commit[:12]}")
        return back

    async def _looked_at(self, feature: Feature, database: Database, command: Command) -> MigrationWork:
        need, repository = database.need, feature.source.repository
        wanted = migration_input(repository, command, need)
        lasts = timedelta(hours=need.hours)
        rehearsing = Rehearsing(self._goal, wanted, lasts=lasts, max_cu=need.max_cu)
        migrating = Migrating(self._goal, wanted, rehearsing)
        try:
            await migrating.look(feature.source)
        except ApplicationError as error:
            if error.type != ErrorType.NOT_FOUND:
                raise
            raise Stopped(
                State.REFUSED, f"needs.neon[{database.index}] cannot be had: {error.message}. Nothing was changed"
            ) from error
        named = f"{need.project} {visible(migrating.branch.name)}/{need.database}"
        told = MigrationTold(database=named, environments=database.environments)
        return MigrationWork(database=database, migrating=migrating, told=told)

    async def _tried(self, work: MigrationWork) -> str | None:
        """Why it cannot go on; None where it can."""
        try:
            await self._plan(work)
        except RehearsalFailed as failed:
            return str(failed)
        except ApplicationError as error:
            if error.type != ErrorType.NOT_FOUND:
                raise
            return f"needs.neon[{work.database.index}] cannot be had: {error.message}"
        return None

    async def _plan(self, work: MigrationWork, *, why: str = "") -> None:
        try:
            work.plan = await work.migrating.plan(why=why)
        except NothingToMigrate:
            work.tell_result(work.migrating.result)
            work.tell(planned="nothing to do")
            if why:
                raise
        else:
            work.tell_result(work.migrating.result)
            work.tell(planned=f"{_counted(work)}, tried on a copy in {work.told.rehearsed_seconds or 0:.1f} s")


async def migrate(steps: ApprovedSteps, work: MigrationWork, summary: str) -> str:
    """Run the approved migration, with the branch that has the database as it was; `told` is kept up to date.

    Returns:
        Why it is not as it should be; empty where it is.

    Raises:
        StepDenied: The guard refused it, or nothing could be kept to go back to.
        ApplicationError: It failed for good.
    """
    migrating = work.migrating
    try:
        migrated = await steps.run(MIGRATE_DATABASE, summary=summary, under=migrating.around, confirm=migrating.confirm)
    finally:
        work.tell_result(migrating.result)
    result = await migrating.ended(migrated)
    work.tell_result(result)
    work.tell(applied=_APPLIED.get(State(result.outcome), "unknown"))
    return "" if result.outcome is State.COMPLETED else f"{work.environment}: {result.reason}"


def brings_back(back: MigrationWork, work: MigrationWork) -> bool:
    """Whether what undoes a migration leaves the schema as it was before it."""
    after = back.plan.parameters_as(MigrateDatabaseParameters).schema_after if back.plan is not None else None
    return work.migrating.schema_before in {after, back.migrating.schema_before}


def schema_lines(work: MigrationWork) -> Iterator[str]:
    """What the whole plan says of one; all of it is in the step's own."""
    told, where = work.told, work.environment
    yield f"Schema of {', '.join(work.database.environments)}: {told.database}: {told.planned}"
    if work.plan is None:
        return
    parameters = work.plan.parameters_as(MigrateDatabaseParameters)
    yield from (f"Locks in {where}: {one}" for one in told.locks[:_SHOWN_LOCKS])
    yield from told.difference[:_SHOWN_LINES]
    if (more := len(told.difference) - _SHOWN_LINES) > 0:
        yield f"and {more} lines more, in its own step"
    yield (
        f"Snapshot in {where}: the branch {visible(parameters.way_back)}, made right before and kept for "
        f"{parameters.way_back_hours} h; {_restored(work, parameters)}"
    )


def schema_way_back(work: MigrationWork, rollback: SchemaRollback) -> str:
    """How one schema is taken back, or why it is not."""
    if rollback is SchemaRollback.DOWN:
        return f"{work.name}: `rollback.down`, tried and approved by itself then"
    return f"{work.name}: a person restores the snapshot, the manifest's rollback.schema is `never`"


def _restored(work: MigrationWork, parameters: MigrateDatabaseParameters) -> str:
    restores = restore_command(parameters.account, work.migrating.branch.name, parameters.way_back)
    return unhidden(f"`{restores}` restores it")


def _counted(work: MigrationWork) -> str:
    lines = len(work.told.difference)
    return {0: "versions are written", 1: "1 line changes"}.get(lines, f"{lines} lines change")


def _same(one: MigrationWork, other: MigrationWork) -> bool:
    return one.migrating.place == other.migrating.place
