"""The goal `RestoreState`: what Pulumi believed of a stack once, in the place of what it believes now."""

from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import PREVIEW_RESTORE, RESTORE_STATE, RestoreLook, StackRestored
    from connectors.pulumi.outcome import Ended
    from connectors.pulumi.values import gist
    from hitl.approval.plan import Plan
    from hitl.hidden import visible
    from workflows.contracts import State
    from workflows.goal_type import goal
    from workflows.pulumi.change import REPLANS, NothingToDo, StackChangeGoal
    from workflows.pulumi.goals import RESTORE_STATE as GOAL
    from workflows.pulumi.goals import RestoreStateInput, RestoreStateResult, asked_for


@goal(GOAL)
class RestoreStateWorkflow(StackChangeGoal):
    """Put a kept state of a stack back; nothing outside is touched."""

    @workflow.init
    def __init__(self, request: RestoreStateInput) -> None:
        super().__init__(request, asked_for(request))
        self._wanted = request

    @workflow.run
    async def run(self, request: RestoreStateInput) -> RestoreStateResult:
        """Compare, ask, put back; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(
            self._restore(),
            denied=lambda reason: self._known().model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _restore(self) -> RestoreStateResult:
        try:
            restored = await self.approved_step(
                RESTORE_STATE,
                self._plan,
                summary=self._wanted.summary(),
                under=self.stack.holding,
                confirm=self._confirm_restored,
                replans=REPLANS,
            )
        except NothingToDo:
            return self._known()
        return self._told(restored)

    async def _confirm_restored(self, plan: Plan, restored: StackRestored) -> None:
        if restored.ended is Ended.APPLIED and (await self.change.state_now()).state != plan.parameters.get("restored"):
            raise self.change.doubted(plan, "its state is another than the kept one")
        refused = restored.ended is Ended.REFUSED and self.change.looks_whatever_is_said()
        if refused and (await self.change.state_now()).state != self.change.previewed.state:
            raise self.change.doubted(plan, "its state is another than before", way="refused")

    async def _plan(self) -> Plan:
        await self.stack.prepare()
        async with self.stack.holding():
            previewed = await self.stack.inspect(
                PREVIEW_RESTORE,
                partial(RestoreLook, backup=self._wanted.exported),
                summary=f"Preview restore of {self.stack.name}",
            )
        return self.change.planned(previewed)

    def _known(self) -> RestoreStateResult:
        """What is known by now: the state is still the one that was looked at."""
        prepared, place, previewed = self.stack.known, self.stack.place, self.change.previewed
        return RestoreStateResult(
            repository=place.repository,
            stack=place.stack,
            project=prepared.project if prepared else None,
            headline=previewed.headline,
            plan=previewed.whole_plan,
            state=previewed.state,
            state_before=previewed.exported,
            state_after=previewed.exported,
        )

    def _told(self, restored: StackRestored) -> RestoreStateResult:
        end = restored.end()
        kind, next_step = end.way, end.next_step
        told = self._known().model_copy(
            update={
                "outcome": State(kind),
                "next_step": next_step,
                "state": restored.state,
                "state_before": restored.replaced,
                "state_after": restored.exported,
            }
        )
        if kind == "completed":
            return told
        said = visible(gist(restored.said)) or "Pulumi said nothing."
        return told.model_copy(update={"reason": f"{said} {next_step}"})
