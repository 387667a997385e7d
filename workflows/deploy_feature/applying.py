"""Carries out what people approved: each environment updated and verified in order, and then the merge."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import (
        LOOK_AT_PULL_REQUEST,
        MERGE_PULL_REQUEST,
        LookAtPullRequestRequest,
        PullRequestMerged,
        PullRequestSeen,
    )
    from activities.guard.error_types import ErrorType, application_error
    from activities.pulumi.contracts import READ_OUTPUTS, UPDATE_STACK, OutputsLook, StackOutputs
    from hitl.approval.plan import Plan
    from workflows.approval.approved_steps import ApprovedSteps
    from workflows.contracts import State
    from workflows.deploy_feature.control import Aborted, Control
    from workflows.deploy_feature.feature import Feature, FeatureReader
    from workflows.deploy_feature.migrations import MigrationWork, migrate
    from workflows.deploy_feature.preparing import StackWork
    from workflows.deploy_feature.timeline import Timeline
    from workflows.deploy_feature.verifying import Verifying
    from workflows.goal import Goal, StepDenied
    from workflows.pulumi.change import state_moved

Change = StackWork | MigrationWork
"""What a deployment changes, of which it may have to be told what became of it."""
_APPLIED: Final = {
    State.COMPLETED: "yes",
    State.REFUSED: "no",
    State.PARTIALLY_APPLIED: "partially",
    State.UNKNOWN: "unknown",
}
_IN_DOUBT: Final = frozenset({"unknown", "cancelled"})


_LOOKS_OUTSIDE: Final = "deploy-feature/looks-outside-first"
"""The patch: runs that began without it looked at the state alone before the first of several steps."""


@dataclass
class Applied:
    """How far it came.

    Attributes:
        begun: Those migrations and environments whose step was begun, in order.
        failed: Why it went no further; empty where all was done.
        merged: The commit of the merge.
        unmerged: Why it was not merged, where all else was done.
        merge_in_doubt: Whether nobody can say that.
    """

    begun: list[Change] = field(default_factory=list["Change"])
    failed: str = ""
    merged: str | None = None
    unmerged: str = ""
    merge_in_doubt: bool = False


class Applying:
    """The approved part of one deployment.

    Args:
        goal: Takes the steps.
        reader: Looks whether the feature is the same.
        timeline: Shows them.
        control: What people want.
        goes_on: Waits as long as it is paused; raises `Aborted`.
    """

    def __init__(
        self,
        goal: Goal,
        reader: FeatureReader,
        timeline: Timeline,
        control: Control,
        *,
        goes_on: Callable[[], Awaitable[None]],
    ) -> None:
        self._goal: Goal = goal
        self._goes_on = goes_on
        self._reader = reader
        self._timeline = timeline
        self._control = control
        self._verifying = Verifying(goal, stops=lambda: control.aborted)

    async def require_unmoved(self, feature: Feature, works: Sequence[StackWork]) -> None:
        """Look once more at everything, right before the first step; each update looks again under its lock.

        Raises:
            ApplicationError: `Conflict`: something is not what people approved.
        """
        with self._timeline.step("re-check"):
            await self._reader.require_same(feature)
            for work in works:
                if work.migration is not None and work.migration.plan is not None:
                    await work.migration.migrating.require_unmoved()
                if work.plan is not None:
                    await self._require_stack_unmoved(work, alone=_changes(works) == 1)

    async def _require_stack_unmoved(self, work: StackWork, *, alone: bool) -> None:
        if not alone and workflow.patched(_LOOKS_OUTSIDE):
            # Else what is changed before this update is taken back when the update finds it out.
            async with work.access.holding():
                await work.change.require_as_planned()
        elif (await self._state(work)).state != work.previewed.state:
            raise state_moved(work.access.name)

    async def apply(self, steps: ApprovedSteps, feature: Feature, works: Sequence[StackWork], applied: Applied) -> None:
        """Carry it out, as far as it goes well; `applied` is kept up to date with every step.

        Raises:
            StepDenied: The guard refused a step.
            ApplicationError: A step failed for good.
        """
        for work in works:
            try:
                await self._goes_on()
                applied.failed = await self._environment(steps, feature, work, applied)
            except Aborted as aborted:
                applied.failed = str(aborted)
            if applied.failed:
                return
        with contextlib.suppress(Aborted):
            await self._goes_on()
        if self._control.aborted:
            applied.unmerged = "aborted before the merge"
        elif feature.pull is not None and steps.done < len(steps.plan.steps):
            await self._merge(steps, feature.pull, applied)

    async def _environment(self, steps: ApprovedSteps, feature: Feature, work: StackWork, applied: Applied) -> str:
        """Why it is not as it should be; empty where it is."""
        if work.migration is not None and work.migration.plan is not None:
            with self._timeline.step(f"migrate {work.environment}") as step:
                if failed := await self._migrate(steps, feature, work.migration, applied):
                    step.failed(failed)
                    return failed
            await self._goes_on()
        if work.plan is not None:
            with self._timeline.step(f"update {work.environment}") as step:
                if failed := await self._update(steps, feature, work, applied):
                    step.failed(failed)
                    return failed
        elif feature.manifest.verify is not None and feature.manifest.verify.output is not None:
            work.outputs = (await self._state(work)).outputs
        if feature.manifest.verify is None:
            return ""
        with self._timeline.step(f"verify {work.environment}") as step:
            why = await self._verifying.verify(feature.manifest.verify, work.environment, work.outputs or {})
            self._control.end_if_aborted()
            work.tell(verified=not why)
            if why:
                step.failed(why)
                return f"{work.environment} is not healthy: {why}"
        return ""

    async def _migrate(self, steps: ApprovedSteps, feature: Feature, work: MigrationWork, applied: Applied) -> str:
        try:
            failed = await migrate(steps, work, f"Migrate {work.told.database} to {feature.commit[:12]}")
        except (StepDenied, FailureError, asyncio.CancelledError):
            self._doubt(steps, work, applied)
            raise
        if work.told.applied != "no":
            applied.begun.append(work)
        return failed

    def _doubt(self, steps: ApprovedSteps, work: Change, applied: Applied) -> None:
        """Of a step that gave no answer: where it may have done something, that is told."""
        if steps.stopped is not None and steps.stopped.way in _IN_DOUBT:
            work.tell(applied="unknown")
            applied.begun.append(work)

    async def _update(self, steps: ApprovedSteps, feature: Feature, work: StackWork, applied: Applied) -> str:
        summary = f"Update {work.access.name} to {feature.commit[:12]}"
        try:
            changed = await steps.run(
                UPDATE_STACK, summary=summary, under=work.access.holding, confirm=work.change.verify
            )
        except (StepDenied, FailureError, asyncio.CancelledError):
            self._doubt(steps, work, applied)
            raise
        told = await work.change.ended(changed)
        work.tell(applied=_APPLIED.get(State(told.outcome), "unknown"))
        work.outputs = changed.outputs
        if told.outcome is not State.REFUSED:
            applied.begun.append(work)
        return "" if told.outcome is State.COMPLETED else f"{work.environment}: {told.reason}"

    async def _merge(self, steps: ApprovedSteps, pull: PullRequestSeen, applied: Applied) -> None:
        if self._control.skips("merge"):
            applied.unmerged = "the merge was left out"
            return
        summary, confirm = f"Merge #{pull.number} at {pull.head[:12]}", partial(self._confirm_merged, pull)
        alone = steps.done == 0
        try:
            with self._timeline.step("merge"):
                merged = await steps.run(MERGE_PULL_REQUEST, summary=summary, confirm=confirm)
        except (StepDenied, ApplicationError) as error:
            if alone:
                raise
            # What runs is healthy, and as people approved it: it stays, and people hear what is missing.
            applied.unmerged = str(error)
            applied.merge_in_doubt = steps.stopped is not None and steps.stopped.way in _IN_DOUBT
        else:
            applied.merged = merged.commit

    async def _confirm_merged(self, pull: PullRequestSeen, plan: Plan, merged: PullRequestMerged) -> None:
        """Look, by another process with another credential: the one that destroys does not say what it did."""
        repository = str(plan.parameters["repository"])
        look = await self._goal.step(
            LOOK_AT_PULL_REQUEST,
            LookAtPullRequestRequest(repository=repository, number=pull.number),
            summary=f"Verify #{pull.number} is merged",
        )
        seen = look.found
        if seen is None or seen.state != "merged" or seen.head != pull.head:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"#{pull.number} of {repository!r} is said to be merged as {merged.commit[:12]} and is "
                f"{seen.state if seen else 'gone'}: look at what happened there",
            )

    async def _state(self, work: StackWork) -> StackOutputs:
        async with work.access.holding():
            return await work.access.inspect(READ_OUTPUTS, OutputsLook, summary=f"Read the state of {work.access.name}")


def _changes(works: Sequence[StackWork]) -> int:
    """How many schemas and stacks are changed."""
    migrated = [one for one in works if one.migration is not None and one.migration.plan is not None]
    return len(migrated) + len([one for one in works if one.plan is not None])
