"""Takes back what was done of a deployment that did not hold, in reverse, as its manifest says.

It asks people again: a plan is bound to the state that it was made on, and the state after an update is not there yet
when people approve the update. What they approved before cannot hold what would be done then.
"""

import json
import shlex
from collections.abc import Awaitable, Callable, Sequence
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
    from workflows.deploy_feature.feature import Feature
    from workflows.deploy_feature.planning import cut, way_back
    from workflows.deploy_feature.preparing import Preparing, StackWork
    from workflows.deploy_feature.timeline import Timeline
    from workflows.goal import NotApproved, StepDenied
    from workflows.pulumi.change import REPLANS, NothingToDo

_DOUBTED: Final = "nobody can say what its update did: look first"


class Undoing:
    """Takes back for one goal.

    Args:
        goal: Asks, and takes the steps.
        preparing: Has the stacks.
        timeline: Shows them.
        parks: Waits, where taking back failed, until a person wants it tried again.
    """

    def __init__(
        self,
        goal: SequenceGoal,
        preparing: Preparing,
        timeline: Timeline,
        *,
        parks: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._goal: SequenceGoal = goal
        self._preparing = preparing
        self._timeline = timeline
        self._parks = parks

    async def undo(self, feature: Feature, begun: Sequence[StackWork], why: str) -> str:
        """Take back all that can be, the newest first. Each `told` says afterwards whether it was.

        Args:
            feature: What was deployed.
            begun: The stacks whose update was begun, in order.
            why: Why it is taken back.

        Returns:
            Why something was not; empty where all was.
        """
        left = "; ".join(reason for one in reversed(begun) if (reason := _stays(one, feature)))
        todo = [one for one in reversed(begun) if not _stays(one, feature)]
        while todo:
            try:
                await self._undo(feature, todo, why)
                break
            except (NotApproved, StepDenied) as refusal:
                left = "; ".join(filter(None, (left, str(refusal))))
                break
            except ApplicationError as error:
                todo = [one for one in todo if not one.told.undone]
                said = f"taking back {', '.join(one.environment for one in todo)} failed: {error}"
                if not await self._parks(f"{said}. Left: {'; '.join(commands_left(todo))}"):
                    left = "; ".join(filter(None, (left, said)))
                    break
        return left

    async def _undo(self, feature: Feature, todo: Sequence[StackWork], why: str) -> None:
        """One plan for all of it, one approval, and each carried out.

        Raises:
            NotApproved: People, or the lack of them, decided otherwise.
            StepDenied: The guard refused it.
            ApplicationError: It cannot be planned or carried out.
        """
        backs: list[tuple[StackWork, StackWork]] = []

        async def plan() -> SequencePlan:
            backs[:] = [(one, await self._planned(feature, one)) for one in todo if not one.told.undone]
            steps = tuple(back.plan for _, back in backs if back.plan is not None)
            if not steps:
                raise NothingToDo
            return self._plan(feature, [back for _, back in backs], steps, why)

        async def work(steps: ApprovedSteps) -> None:
            for one, back in backs:
                if back.plan is not None:
                    await self._apply(steps, one, back)

        try:
            await self._goal.approved_steps(plan, work, replans=REPLANS)
        except NothingToDo:
            workflow.logger.info("the programs of before want nothing else than what is there")
        for one, back in backs:
            if back.plan is None:
                one.tell(undone=True)

    async def _planned(self, feature: Feature, work: StackWork) -> StackWork:
        pulumi, before = feature.manifest.pulumi, work.back
        if pulumi is None or before is None:
            raise RuntimeError(f"{work.environment!r} has no way back")
        back = self._preparing.stack(feature, pulumi, work.environment, commit=before.commit)
        with self._timeline.step(f"preview undo {work.environment}"):
            try:
                back.plan = await back.change.plan(why=f"Back to deployment {before.version}")
            except NothingToDo:
                back.plan = None
        return back

    def _plan(self, feature: Feature, backs: Sequence[StackWork], steps: tuple[Plan, ...], why: str) -> SequencePlan:
        name, commit = feature.manifest.service.name, feature.commit[:12]
        lines = [f"Take {name} back, of which {commit} was deployed", f"Why: {why}"]
        lines += [f"Infrastructure of {one.environment}: {one.previewed.headline or 'nothing to do'}" for one in backs]
        return SequencePlan(steps=steps, summary=cut(lines), tightening=feature.tightening)

    async def _apply(self, steps: ApprovedSteps, work: StackWork, back: StackWork) -> None:
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


def commands_left(works: Sequence[StackWork]) -> tuple[str, ...]:
    """What a person runs, in this order: to take back what was not, and to look at what is in doubt or not healthy."""
    return tuple(_command(one) for one in works if not one.told.undone or one.told.restored is False)


def _command(work: StackWork) -> str:
    place = work.access.place
    asked: dict[str, object] = {"repository": place.repository, "stack": place.stack}
    if place.folder != ".":
        asked["folder"] = place.folder
    looks = work.told.undone or work.told.applied == "unknown" or work.back is None
    goal = "InspectStack" if looks else "RollBackStack"
    if goal == "RollBackStack" and work.back is not None:
        asked["version"] = work.back.version
    return f"banksman run {goal} --input {shlex.quote(json.dumps(asked, separators=(',', ':')))}"


def _stays(work: StackWork, feature: Feature) -> str:
    """Why nothing takes it back; empty where it is taken back."""
    if work.told.applied == "unknown":
        return f"{work.environment}: {_DOUBTED}"
    return unhidden(way_back(work, feature.manifest)) if work.back is None else ""
