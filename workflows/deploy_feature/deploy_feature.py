"""The goal `DeployNewFeature`: from a branch to what people use, verified, with one approval."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.approvals.waiving_contracts import WAIVE_SNAPSHOT, WaiveSnapshot
    from hitl.approval.sequence import SequencePlan
    from workflows.approval.approved_steps import ApprovedSteps
    from workflows.contracts import Outcome, State
    from workflows.deploy_feature.applying import Applied, Applying, Change
    from workflows.deploy_feature.attended import AttendedGoal
    from workflows.deploy_feature.control import Aborted
    from workflows.deploy_feature.feature import Feature, FeatureReader, Stopped
    from workflows.deploy_feature.goals import (
        DEPLOY_NEW_FEATURE,
        DeployNewFeatureInput,
        DeployNewFeatureResult,
    )
    from workflows.deploy_feature.migrations import Migrations
    from workflows.deploy_feature.planning import lost, plan_of, risk_of
    from workflows.deploy_feature.preparing import Preparing, StackWork
    from workflows.deploy_feature.providing import Providing
    from workflows.deploy_feature.reporting import Conclusion, Reporting
    from workflows.deploy_feature.restoring import Restoring, back_and_not_well
    from workflows.deploy_feature.undoing import Undoing, commands_left
    from workflows.goal import NotApproved, StepDenied
    from workflows.goal_type import goal
    from workflows.pulumi.change import REPLANS

_FRESH: Final = timedelta(minutes=1)
"""What was read longer ago is read again before it is planned."""
_LOOK_AFTER: Final = timedelta(hours=1)
"""How often a service's line is looked after: its goals may wait for people for days, and each look is an event."""

_STAYS: Final = frozenset({State.COMPLETED, State.PARTIALLY_APPLIED})
"""Ends after which something runs that needs what was made for it."""
_CONCLUSIONS: Final[dict[Outcome, Conclusion]] = {
    State.COMPLETED: "success",
    State.WITHDRAWN: "cancelled",
    State.SUPERSEDED: "neutral",
}


def service_lock(repository: str) -> str:
    """The workflow id of the line of those who deploy one service."""
    return f"service/{repository}"


_LOOKS_AFTER_UNDOING: Final = "what-was-taken-back-is-looked-at"
"""The patch: runs that began without it believed that what was taken back serves as before."""


@goal(DEPLOY_NEW_FEATURE)
class DeployNewFeatureWorkflow(AttendedGoal):
    """Read, test and plan; ask once; apply, verify, merge; take back what does not hold."""

    @workflow.init
    def __init__(self, request: DeployNewFeatureInput) -> None:
        super().__init__(request)
        self._wanted = request
        timeline = self._timeline
        self._reporting = Reporting(self, timeline, request.repository)
        self._reader = FeatureReader(self, request)
        migrations = Migrations(self, timeline)
        self._providing = Providing(self, timeline)
        self._preparing = Preparing(self, timeline, self._providing, migrations)
        self._applying = Applying(self, self._reader, timeline, self._control, goes_on=self._goes_on)
        self._undoing = Undoing(self, self._preparing, migrations, timeline, parks=self._park_undoing)
        self._restoring = Restoring(self, self._reader, timeline)
        self._feature: Feature | None = None
        self._read_at = workflow.now()
        self._waited = False
        self._works: tuple[StackWork, ...] = ()
        self._applied = Applied()
        self._told = DeployNewFeatureResult(repository=request.repository, what=request.what)

    @workflow.run
    async def run(self, request: DeployNewFeatureInput) -> DeployNewFeatureResult:
        """Deploy it; whatever people, the guard or the world say to that is a result."""
        del request
        return await self.run_goal(self._deploy(), denied=lambda why: self._ended(State.DENIED, why))

    async def _deploy(self) -> DeployNewFeatureResult:
        try:
            result = await self._carry_out()
        except Stopped as stopped:
            self._told = self._told.model_copy(update={"mistakes": stopped.mistakes})
            result = self._ended(stopped.outcome, str(stopped))
        except NotApproved as decision:
            result = self._ended(decision.outcome, str(decision))
        except StepDenied as refusal:
            result = self._ended(State.DENIED, str(refusal))
        except (ApplicationError, asyncio.CancelledError) as error:
            cancelled = is_cancelled_exception(error)
            how = "Cancelled" if cancelled else "Failed"
            await self._say_end(f"{how}: {error}", "cancelled" if cancelled else "failure")
            raise
        if result.outcome not in _STAYS:
            await self._providing.give_back()
            left = (*result.commands_left, *self._providing.commands_left())
            result = result.model_copy(update={"needs": self._providing.told, "commands_left": left})
        words = "Deployed" if result.outcome is State.COMPLETED else result.outcome.replace("_", " ").capitalize()
        lines = [*result.mistakes, *result.commands_left]
        await self._say_end(f"{words}: {result.reason}", _CONCLUSIONS.get(result.outcome, "failure"), lines)
        return result.model_copy(update={"steps": self._timeline.steps, "record": self._timeline.record})

    async def _carry_out(self) -> DeployNewFeatureResult:
        feature = await self._read()
        await self._reporting.check(feature.commit, f"Deploying to {', '.join(feature.environments)}")
        repository = self._wanted.repository
        line = self.queueing.holding_line(service_lock(repository), f"the service {repository}", look_after=_LOOK_AFTER)
        async with line:
            return await self._with_service()

    async def _with_service(self) -> DeployNewFeatureResult:
        try:
            await self.approved_steps(self._plan, self._apply, replans=REPLANS)
        except Aborted as aborted:
            raise NotApproved(State.WITHDRAWN, f"{aborted}. Nothing was changed") from aborted
        except _NothingToDeploy as nothing:
            return self._ended(State.COMPLETED, str(nothing))
        except (NotApproved, StepDenied, ApplicationError) as error:
            if not self._applied.begun:
                raise
            self._applied.failed = str(error)
        return await self._take_back() if self._applied.failed else self._deployed()

    async def _read(self) -> Feature:
        """The feature as it is now."""
        before = self._feature
        try:
            with self._timeline.step("manifest"):
                feature = await self._reader.read()
        finally:
            self._told = self._told.model_copy(update={"commit": self._reader.commit})
        if before is not None and before.commit != feature.commit:
            text = f"Superseded by {feature.commit[:12]}"
            await self._reporting.check(before.commit, text, conclusion="neutral")
        self._feature, self._read_at, self._waited = feature, workflow.now(), False
        self._told = self._told.model_copy(
            update={
                "service": feature.manifest.service.name,
                "pull_request": feature.pull.number if feature.pull else None,
            }
        )
        return feature

    async def _plan(self) -> SequencePlan:
        """Read again what may have changed, test, plan every stack, and put it into one plan."""
        feature = self._feature
        if feature is None or self.why_again or self._waited or workflow.now() - self._read_at > _FRESH:
            feature = await self._read()
        await self._goes_on()
        self._works = works = await self._preparing.prepare(feature)
        await self._goes_on()
        self._told = self._told.model_copy(update={"risk": risk_of(feature, works)})
        for work in lost(works):
            await self._require_waived(work)
        plan = plan_of(
            feature,
            works,
            method=self._wanted.merge_method,
            merges=not self._control.skips("merge"),
            needs=self._providing.told,
            why_again=self.why_again,
        )
        if plan is None:
            raise _NothingToDeploy("every stack is as the commit wants it, and nothing is to be merged")
        await self._reporting.check(feature.commit, "Waits for approval", plan.summary)
        return plan

    async def _require_waived(self, work: StackWork) -> None:
        """What cannot be undone is not planned without a snapshot, unless the deployment's policy lets it be.

        Raises:
            Stopped: It does not.
        """
        name = work.access.name
        request = WaiveSnapshot(repository=self._wanted.repository, resource=name)
        try:
            await self.step(WAIVE_SNAPSHOT, request, summary=f"Ask whether {name} may lose data without a snapshot")
        except StepDenied as refusal:
            text = (
                f"what is planned for {name} may lose what cannot be brought back ({work.told.planned}), and no "
                f"snapshot of it can be made here. Protect what holds data, or have the policy allow "
                f"{WAIVE_SNAPSHOT.name}: {refusal}. Nothing was changed"
            )
            raise Stopped(State.DENIED, text) from refusal

    async def _apply(self, steps: ApprovedSteps) -> None:
        """Look whether all is as it was approved, and carry it out."""
        self._applied = applied = Applied()
        feature = self._known
        try:
            await self._goes_on()
        except Aborted as aborted:
            applied.failed = str(aborted)
            return
        await self._applying.require_unmoved(feature, self._works)
        await self._providing.keep()
        await self._applying.apply(steps, feature, self._works, applied)

    async def _take_back(self) -> DeployNewFeatureResult:
        """What was done is undone as the manifest says; what is left is said."""
        feature, begun, why = self._known, self._applied.begun, self._applied.failed
        if not begun:
            outcome = State.WITHDRAWN if self._control.aborted else State.REFUSED
            return self._ended(outcome, f"{why}. Nothing was changed")
        self._control.begin_undoing()
        self._asks_to = "approval to undo"
        left = await self._undoing.undo(feature, begun, why)
        ill = await self._restored(begun[::-1]) if workflow.patched(_LOOKS_AFTER_UNDOING) else ""
        if not all(one.told.undone for one in begun):
            also = f". {ill}" if ill else ""
            return self._ended(State.PARTIALLY_APPLIED, f"{why}. Not taken back: {left}{also}", left=begun[::-1])
        if ill:
            return self._ended(State.PARTIALLY_APPLIED, f"{why}. All of it was taken back: {ill}", left=begun[::-1])
        return self._ended(State.UNDONE, f"{why}. All of it was taken back")

    async def _restored(self, begun: Sequence[Change]) -> str:
        """What was taken back and does not serve, after people had it looked at as often as they want."""
        while ill := await self._restoring.ill(begun):
            look = "; ".join(commands_left(back_and_not_well(begun)))
            if not await self._park_undoing(f"{ill}. Look: {look}"):
                return ill
        return ""

    def _deployed(self) -> DeployNewFeatureResult:
        applied, commit = self._applied, self._known.commit[:12]
        where = ", ".join(one.environment for one in self._works)
        if applied.unmerged and not self._control.skips("merge"):
            merged = "nobody can say whether it is merged" if applied.merge_in_doubt else "not merged"
            why = f"{commit} is deployed to {where} and healthy, and {merged}: {applied.unmerged}"
            return self._ended(State.PARTIALLY_APPLIED, why)
        merged = f", and merged as {applied.merged[:12]}" if applied.merged else ""
        return self._ended(State.COMPLETED, f"{commit} is deployed to {where}{merged}")

    def _ended(self, outcome: Outcome, reason: str, *, left: Sequence[Change] = ()) -> DeployNewFeatureResult:
        return self._told.model_copy(
            update={
                "outcome": outcome,
                "reason": reason,
                "merged": self._applied.merged,
                "environments": tuple(one.told for one in self._works),
                "artifacts": self._preparing.artifacts,
                "needs": self._providing.told,
                "migrations": tuple(one.migration.told for one in self._works if one.migration is not None),
                "commands_left": commands_left(left),
                "steps": self._timeline.steps,
                "record": self._timeline.record,
            }
        )

    async def _say_end(self, title: str, conclusion: Conclusion, lines: Sequence[str] = ()) -> None:
        if self._reader.commit is not None:
            await self._reporting.check(self._reader.commit, title, lines, conclusion=conclusion)
        pull = self._reader.pull
        if pull is not None and self._feature is not None and not self._control.skips("comment"):
            await self._reporting.comment(pull.number, title, lines)

    def _wait_for(self, what: str | None) -> None:
        """Whoever waited for another feature finds another world."""
        super()._wait_for(what)
        if what is None and self._parked:
            self._waiting_for = self._parked[-1]  # a step beside it has its turn, and this one waits as before
        self._waited = self._waited or what is not None

    @property
    def _known(self) -> Feature:
        if self._feature is None:
            raise RuntimeError("the feature was used before it was read")
        return self._feature


class _NothingToDeploy(Exception):
    """All is as it should be."""
