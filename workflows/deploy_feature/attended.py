"""A deployment as people attend to it: what they see of each step, and how it pauses, stops and goes on."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from hitl.approval.sequence import AnyPlan
    from hitl.hidden import unhidden_lines
    from workflows.approval.approved_steps import SequenceGoal
    from workflows.approval.contracts import ApprovalRequest, ApprovalResult
    from workflows.contracts import DestructiveGoalInput, GoalState, Resume, State
    from workflows.deploy_feature.control import Aborted, Control
    from workflows.deploy_feature.goals import Abort, DeployStatus, Mark, Pause, Retry, Skip
    from workflows.deploy_feature.timeline import Timeline
    from workflows.goal import StepWaits
    from workflows.leases.leasing import LeasingGoal
    from workflows.parking import Parking
    from workflows.pulumi.goal import StacksGoal


class AttendedGoal(StacksGoal, SequenceGoal, LeasingGoal):
    """The part of a deployment that people see and talk to. Not a workflow by itself."""

    def __init__(self, request: DestructiveGoalInput) -> None:
        super().__init__(request)
        self._details = ""
        self._timeline = Timeline(self._show_details)
        self._control = Control(self._timeline)
        self._asks_to = "approval"
        self._parked: list[str] = []

    @workflow.query
    def status(self) -> DeployStatus:
        """Where the goal stands now, step by step."""
        return DeployStatus(
            state=self._state,
            step=self._step,
            waiting_for=self._waiting_for,
            steps=self._timeline.steps,
            record=self._timeline.record,
        )

    @workflow.update
    def pause(self, told: Pause) -> DeployStatus:
        """Begin no other step until `resume`."""
        self._control.pause(told)
        return self.status()

    @pause.validator
    def _may_pause(self, told: Pause) -> None:
        del told
        self._control.may_pause()

    @workflow.update
    def skip(self, told: Skip) -> DeployStatus:
        """Leave a step out that keeps nobody safe."""
        self._control.skip(told)
        return self.status()

    @skip.validator
    def _may_skip(self, told: Skip) -> None:
        self._control.may_skip(told)

    @workflow.update
    def abort(self, told: Abort) -> DeployStatus:
        """Stop at the next step, and take back what was done."""
        self._control.abort(told)
        return self.status()

    @abort.validator
    def _may_abort(self, told: Abort) -> None:
        del told
        self._control.may_abort()

    @workflow.update
    def retry(self, told: Retry) -> DeployStatus:
        """Try the step again at which it is parked."""
        self._resumed, self._resume = True, Resume(note=told.reason, person=told.person)
        return self.status()

    @retry.validator
    def _may_retry(self, told: Retry) -> None:
        if self._state is not State.PARKED or self._control.pausing is not None:
            raise _refused(f"this goal is {self._state} and parked at no step: there is nothing to try again")
        tried = [one.name for one in self._timeline.steps if one.mark in {Mark.RUNNING, Mark.FAILED}]
        if told.step not in tried:
            raise _refused(f"it is not parked at {told.step!r}; what did not go well is: {', '.join(tried)}")

    async def _goes_on(self) -> None:
        """Between two steps: wait as long as somebody has it paused. Raises `Aborted`."""

        def parked(what: str) -> None:
            self._waiting_for, self._resumed = what, False
            self._show(State.PARKED, f"**Paused:** waits for {what}")

        was_paused = self._control.pausing is not None
        try:
            await self._control.between(parked, lambda: self._resumed)
        except Aborted:
            self._waiting_for = None
            self._show(State.RUNNING, "**Now:** it stops")
            raise
        if was_paused:
            self._go_on()

    async def park(self, waits: StepWaits, parking: Parking) -> None:
        """Steps run side by side: as long as one of them is parked, the goal is."""
        self._parked.append(waits.told)
        try:
            await super().park(waits, parking)
        finally:
            self._parked.remove(waits.told)
        if self._parked:
            self._waiting_for = self._parked[-1]
            self._show(State.PARKED, f"**Parked:** {self._waiting_for}")

    async def _park_undoing(self, why: str) -> bool:
        """Wait until a person has what is left tried again, or leaves it; whether it is tried again."""
        self._control.stuck, self._resumed = True, False
        self._waiting_for = why
        self._show(State.PARKED, f"**Parked:** {why}\n\n`retry` tries again; `abort` leaves it as it is.")
        with Parking() as parking:
            await parking.tell("pulumi.update_stack")
            await workflow.wait_condition(lambda: self._resumed or self._control.aborting is not None)
        self._control.stuck = False
        again = self._control.aborting is None
        if again:
            self._go_on()
        return again

    def _go_on(self) -> None:
        said = self._resume
        by = f" by {said.person}" if said.person else ""
        self._timeline.note(f"resumed{by}" + (f": {said.note}" if said.note else ""))
        self._waiting_for = None
        self._show(State.RUNNING, f"**Now:** {self._step}")

    async def _answer(self, request: ApprovalRequest, plan: AnyPlan, approval: str) -> ApprovalResult:
        """What people say; where somebody has the goal stopped meanwhile, they are not asked any more."""
        asked = asyncio.create_task(super()._answer(request, plan, approval))
        with self._timeline.step(self._asks_to, mark=Mark.WAITING) as step:
            try:
                await workflow.wait_condition(lambda: asked.done() or self._control.aborted)
            except asyncio.CancelledError:
                await _withdraw(asked)
                raise
            if not asked.done():
                await _withdraw(asked)
                self._control.end_if_aborted()
            answer = await asked
            if answer.outcome is not State.APPROVED:
                step.failed(answer.outcome.replace("_", " "))
        return answer

    def begin(self, summary: str) -> None:
        """Also shows the steps."""
        super().begin(summary)
        self._details = f"**Now:** {self._step}"
        self._show_details()

    def _show(self, state: GoalState, details: str) -> None:
        super()._show(state, details)
        self._details = details
        self._show_details()

    def _show_details(self) -> None:
        lines = "\n\n".join(self._timeline.lines())
        workflow.set_current_details(unhidden_lines(f"{self._details}\n\n{lines}" if lines else self._details))


async def _withdraw(asked: "asyncio.Task[ApprovalResult]") -> None:
    """Nobody waits for this any more, however it ends."""
    asked.cancel()
    await workflow.wait([asked])
    if not asked.cancelled():
        asked.exception()


def _refused(why: str) -> ApplicationError:
    return application_error(ErrorType.INVALID_REQUEST, why)
