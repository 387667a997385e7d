"""Takes back what was done of a deployment that did not hold, in reverse, as its manifest says.

It asks people again: a plan is bound to the state that it was made on, and the state after an update is not there yet
when people approve the update. What they approved before cannot hold what would be done then.
"""

import json
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import UPDATE_STACK
    from hitl.approval.plan import Plan
    from hitl.approval.sequence import SequencePlan
    from hitl.hidden import unhidden
    from workflows.approval.approved_steps import ApprovedSteps, SequenceGoal
    from workflows.contracts import State
    from workflows.deploy_feature.applying import Change
    from workflows.deploy_feature.feature import Feature, Stopped
    from workflows.deploy_feature.migrations import (
        Migrations,
        MigrationWork,
        brings_back,
        migrate,
        schema_lines,
    )
    from workflows.deploy_feature.planning import cut, way_back
    from workflows.deploy_feature.preparing import Preparing, StackWork
    from workflows.deploy_feature.timeline import Timeline
    from workflows.goal import NotApproved, StepDenied
    from workflows.manifest.manifest import SchemaRollback
    from workflows.neon.migrating import NothingToMigrate
    from workflows.neon.rehearsal import RehearsalFailed
    from workflows.pulumi.change import REPLANS, NothingToDo

_LEAVES_WHAT_IS_BACK: Final = "deploy-feature/leaves-a-schema-that-is-back"
"""The patch: runs that began without it ran `rollback.down` also on a schema that was as before already."""
_DOUBTED: Final = "nobody can say what its update did: look first"


@dataclass
class _Back:
    """How one change is taken back.

    Attributes:
        of: The change.
        plan: The step that does it; None where there is nothing to do.
        lines: What the plan says of it.
        run: Carries it out.
    """

    of: Change
    plan: Plan | None
    lines: tuple[str, ...]
    run: Callable[[ApprovedSteps], Awaitable[None]]


class Undoing:
    """Takes back for one goal.

    Args:
        goal: Asks, and takes the steps.
        preparing: Has the stacks.
        migrations: Tries what undoes one.
        timeline: Shows them.
        parks: Waits, where taking back failed, until a person wants it tried again.
    """

    def __init__(
        self,
        goal: SequenceGoal,
        preparing: Preparing,
        migrations: Migrations,
        timeline: Timeline,
        *,
        parks: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._goal: SequenceGoal = goal
        self._preparing = preparing
        self._migrations = migrations
        self._timeline = timeline
        self._parks = parks
        self._left: dict[str, str] = {}

    async def undo(self, feature: Feature, begun: Sequence[Change], why: str) -> str:
        """Take back all that can be, the newest first. Each `told` says afterwards whether it was.

        Args:
            feature: What was deployed.
            begun: What was begun of it, in order.
            why: Why it is taken back.

        Returns:
            Why something was not; empty where all was.
        """
        self._left = {one.name: reason for one in reversed(begun) if (reason := _stays(one, begun, feature))}
        while todo := [one for one in reversed(begun) if not one.told.undone and one.name not in self._left]:
            try:
                await self._undo(feature, todo, why)
            except (NotApproved, StepDenied) as refusal:
                return "; ".join((*self._left.values(), str(refusal)))
            except ApplicationError as error:
                todo = [one for one in todo if not one.told.undone]
                said = f"taking back {', '.join(one.name for one in todo)} failed: {error}"
                if not await self._parks(f"{said}. Left: {'; '.join(commands_left(todo))}"):
                    return "; ".join((*self._left.values(), said))
        return "; ".join(self._left.values())

    async def _undo(self, feature: Feature, todo: Sequence[Change], why: str) -> None:
        """One plan for all of it, one approval, and each carried out.

        Raises:
            NotApproved: People, or the lack of them, decided otherwise.
            StepDenied: The guard refused it.
            ApplicationError: It cannot be planned or carried out.
        """
        backs: list[_Back] = []

        async def plan() -> SequencePlan:
            open_ = [one for one in todo if not one.told.undone and one.name not in self._left]
            backs[:] = [back for one in open_ if (back := await self._planned(feature, one)) is not None]
            steps = tuple(back.plan for back in backs if back.plan is not None)
            if not steps:
                raise NothingToDo
            return self._plan(feature, backs, steps, why)

        async def work(steps: ApprovedSteps) -> None:
            for back in backs:
                if back.plan is not None:
                    await back.run(steps)

        try:
            await self._goal.approved_steps(plan, work, replans=REPLANS)
        except NothingToDo:
            workflow.logger.info("what was there before wants nothing else than what is there")
        for back in backs:
            if back.plan is None:
                back.of.tell(undone=True)

    async def _planned(self, feature: Feature, change: Change) -> _Back | None:
        """How it is taken back; None where it turns out that nothing does, which `_left` tells then."""
        if isinstance(change, StackWork):
            return await self._stack_back(feature, change)
        return await self._schema_back(feature, change)

    async def _stack_back(self, feature: Feature, work: StackWork) -> _Back:
        pulumi, before = feature.manifest.pulumi, work.back
        if pulumi is None or before is None:
            raise RuntimeError(f"{work.environment!r} has no way back")
        back = self._preparing.stack(feature, pulumi, work.environment, commit=before.commit)
        with self._timeline.step(f"preview undo {work.environment}"):
            try:
                back.plan = await back.change.plan(why=f"Back to deployment {before.version}")
            except NothingToDo:
                back.plan = None
        line = f"Infrastructure of {back.environment}: {back.previewed.headline or 'nothing to do'}"
        return _Back(work, back.plan, (line,), partial(self._apply, work, back))

    async def _schema_back(self, feature: Feature, work: MigrationWork) -> _Back | None:
        down = feature.manifest.rollback.down
        if down is None:
            raise RuntimeError(f"{work.name!r} has no way back")
        try:
            back = await self._migrations.down(feature, work, down)
        except NothingToMigrate as nothing:
            if nothing.schema == work.migrating.schema_before:
                return _Back(work, None, (), partial(self._migrate_back, work, work))
            self._left[work.name] = f"{work.name}: `rollback.down` changes nothing; {_kept(work)}"
            return None
        except (RehearsalFailed, Stopped) as failed:
            self._left[work.name] = f"{work.name}: `rollback.down`: {failed}; {_kept(work)}"
            return None
        if back.migrating.schema_before == work.migrating.schema_before and workflow.patched(_LEAVES_WHAT_IS_BACK):
            # A person has restored it: the command would take back what was there before, too.
            return _Back(work, None, (), partial(self._migrate_back, work, work))
        is_whole = brings_back(back, work)
        becomes = "is as it was before it" if is_whole else f"is another than before it; {_kept(work)}"
        lines = (*schema_lines(back), f"Then {work.name} {becomes}")
        return _Back(work, back.plan, lines, partial(self._migrate_back, work, back))

    def _plan(self, feature: Feature, backs: Sequence[_Back], steps: tuple[Plan, ...], why: str) -> SequencePlan:
        name, commit = feature.manifest.service.name, feature.commit[:12]
        lines = [f"Take {name} back, of which {commit} was deployed", f"Why: {why}"]
        lines += [line for one in backs for line in one.lines]
        return SequencePlan(steps=steps, summary=cut(lines), tightening=feature.tightening)

    async def _apply(self, work: StackWork, back: StackWork, steps: ApprovedSteps) -> None:
        with self._timeline.step(f"undo {work.environment}"):
            changed = await steps.run(
                UPDATE_STACK,
                summary=f"Take {back.access.name} back",
                under=back.access.holding,
                confirm=back.change.verify,
            )
            told = await back.change.ended(changed)
            if told.outcome is not State.COMPLETED:
                raise ApplicationError(str(told.reason), non_retryable=True)
        work.tell(undone=True)

    async def _migrate_back(self, work: MigrationWork, back: MigrationWork, steps: ApprovedSteps) -> None:
        with self._timeline.step(f"undo the schema of {work.environment}"):
            if failed := await migrate(steps, back, f"Take {work.name} back"):
                raise ApplicationError(failed, non_retryable=True)
        if brings_back(back, work):
            work.tell(undone=True)
        else:
            self._left[work.name] = f"{work.name} is another than before after `rollback.down`; {_kept(work)}"


def commands_left(works: Sequence[Change]) -> tuple[str, ...]:
    """What a person runs, in this order: to take back what was not, and to look at what is in doubt or not healthy."""
    return tuple(line for one in works if not one.told.undone or _is_ill(one) for line in _commands(one))


def _is_ill(change: Change) -> bool:
    """Whether it was taken back and does not serve."""
    return isinstance(change, StackWork) and change.told.restored is False


def _commands(change: Change) -> tuple[str, ...]:
    if isinstance(change, MigrationWork):
        return (change.told.restore,) if change.told.restore else ()
    place = change.access.place
    asked: dict[str, object] = {"repository": place.repository, "stack": place.stack}
    if place.folder != ".":
        asked["folder"] = place.folder
    looks = change.told.undone or change.told.applied == "unknown" or change.back is None
    goal = "InspectStack" if looks else "RollBackStack"
    if goal == "RollBackStack" and change.back is not None:
        asked["version"] = change.back.version
    return (f"banksman run {goal} --input {shlex.quote(json.dumps(asked, separators=(',', ':')))}",)


def _stays(change: Change, begun: Sequence[Change], feature: Feature) -> str:
    """Why nothing takes it back; empty where it is taken back."""
    if isinstance(change, MigrationWork):
        return _schema_stays(change, begun, feature)
    if change.told.applied == "unknown":
        return f"{change.environment}: {_DOUBTED}"
    return unhidden(way_back(change, feature.manifest)) if change.back is None else ""


def _schema_stays(change: MigrationWork, begun: Sequence[Change], feature: Feature) -> str:
    """No schema is taken from under a program that stays."""
    if change.told.applied != "yes":
        return f"{change.name}: its migration was not carried out whole; {_kept(change)}"
    if feature.manifest.rollback.of_schema is SchemaRollback.NEVER:
        return f"{change.name}: the manifest's rollback.schema is `never`; {_kept(change)}"
    for one in begun:
        is_needed = isinstance(one, StackWork) and one.environment in change.database.environments
        if is_needed and _stays(one, begun, feature):
            return f"{change.name}: {one.environment}, which needs it, stays; {_kept(change)}"
    return ""


def _kept(work: MigrationWork) -> str:
    told = work.told
    if told.way_back is None or told.way_back_until is None:
        return "no branch has it as it was"
    return f"the branch {told.way_back} has it as it was, until {told.way_back_until:%Y-%m-%d %H:%M} UTC"
