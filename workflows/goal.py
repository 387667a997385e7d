"""What every goal does besides its own steps: tell where it stands, take a step, park, and end.

A goal is a subclass with `@workflow.run`. It calls `self.step(...)` for each activity and wraps its own work in
`self.run_goal(...)`. Everything that people see of a goal in the Temporal UI (state, current details, a summary per
step) is set here, once.
"""

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.approvals.surprise_contracts import REPORT_SURPRISE
    from activities.guard.error_types import ErrorType, application_error, denial_of
    from activities.presets import Preset, pause_of_parked, run_preset
    from activities.step import Step
    from hitl.approval.rehearsal import RehearsedEffect
    from hitl.hidden import unhidden_lines, visible
    from hitl.protocol import Effect, RefusalReason
    from workflows.contracts import (
        STATE_ATTRIBUTE,
        GoalInput,
        GoalResult,
        GoalState,
        GoalStatus,
        Outcome,
        Resume,
        State,
    )
    from workflows.execute import execute
    from workflows.of_a_plan import tell_plan
    from workflows.one_input import OneInput
    from workflows.parked_contracts import MAY_HAVE_BEGUN, waits_for
    from workflows.parking import Parking
    from workflows.rehearsed import Effects, refusal

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response")
Result = TypeVar("Result", bound=GoalResult)

_STOPS_FIRST: Final = "a-cancelled-run-stops-first"
_TRIES_BY_ITSELF: Final = "a-parked-goal-tries-by-itself"
_TELLS_PEOPLE: Final = "a-parked-goal-tells-people"


class StepDenied(Exception):
    """The guard refused a step; the goal ends as denied, with this reason."""

    def __init__(self, text: str, *, reason: RefusalReason | None = None) -> None:
        super().__init__(text)
        self.reason = reason


class NotApproved(Exception):
    """People did not let a step run; the goal ends as they decided, with their reason."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome


class StepWaits(Exception):
    """A step used up its retries on what waiting, or a person, may mend: this sentence."""

    def __init__(self, why: str, *, step: str, once: bool = False) -> None:
        super().__init__(why)
        self.step = step
        self.once = once
        """Whether what people approved lets it begin once."""

    @property
    def told(self) -> str:
        """What people hear of a goal that is parked for it."""
        return f"{self}; {MAY_HAVE_BEGUN}" if self.once else str(self)


class CancelledInDoubt(asyncio.CancelledError):
    """The goal is cancelled, and so was a step of which nobody knows how it ended."""


class Goal(OneInput):
    """The part that all goals share. Not a workflow by itself."""

    def __init__(self, request: GoalInput) -> None:
        self._request = request
        self._state: GoalState = State.RUNNING
        self._step: str | None = None
        self._waiting_for: str | None = None
        self._resumed = False
        self._resume = Resume()
        self._effects = Effects(request.rehearsal)
        self._asking = asyncio.Lock()
        self.ended_with = ""
        """How its approved step ended, where a goal has one; said of a goal that was cancelled."""

    @workflow.query
    def status(self) -> GoalStatus:
        """Where the goal stands now."""
        return GoalStatus(state=self._state, step=self._step, waiting_for=self._waiting_for)

    @workflow.query
    def effects(self) -> tuple[RehearsedEffect, ...]:
        """What this run did to the world so far, or began to do: each once. A rehearsal makes its list of it."""
        return self._effects.had

    @workflow.signal
    def approval_waits(self, approval: str) -> None:
        """From an approval that looks whether this run still waits for it. That it arrives is the answer."""
        del approval

    @workflow.update
    def resume(self, request: Resume) -> GoalStatus:
        """Try the step again that the goal is parked at."""
        workflow.logger.info("resumed by a person", extra={"note": request.note})
        self._resumed, self._resume = True, request
        return self.status()

    @resume.validator
    def _may_resume(self, request: Resume) -> None:
        del request
        if self._state is not State.PARKED:
            raise application_error(
                ErrorType.INVALID_REQUEST, f"this goal is {self._state}, not parked: there is nothing to resume"
            )

    async def run_goal(self, work: Awaitable[Result], *, denied: Callable[[str], Result]) -> Result:
        """Run a goal's own work from its first state to its last one.

        Args:
            work: The goal's steps; its value is the goal's result.
            denied: Makes the result of a goal that the guard refused, from the reason.

        Raises:
            ApplicationError: A step failed for good; the type is one of the error table.
        """
        summary = visible(self._request.summary())
        self._show(State.RUNNING, summary)
        workflow.upsert_search_attributes(
            [key.value_set(value) for key, value in self._request.search_attributes().items()]
        )
        try:
            result = await work
        except StepDenied as refusal:
            result = denied(str(refusal))
        except NotApproved as decision:
            result = denied(str(decision)).model_copy(update={"outcome": decision.outcome})
        except BaseException as error:
            cancelled = is_cancelled_exception(error)
            if cancelled or isinstance(error, ApplicationError):
                state = State.CANCELLED if cancelled else State.FAILED
                self._show(state, f"{summary}: {state}. {self.ended_with if cancelled else error}")
            raise
        if result.outcome is State.COMPLETED:
            self._show(State.COMPLETED, f"{summary}: {result.reason or 'done'}")
        else:
            words = result.outcome.replace("_", " ").capitalize()
            self._show(result.outcome, f"{words}: {result.reason}")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return result

    async def step(
        self,
        step: Step[Request, Response],
        request: Request,
        *,
        summary: str,
        preset: Preset | None = None,
        step_id: str | None = None,
    ) -> Response:
        """Take one step, and park when its provider stays away for longer than the preset allows.

        Args:
            step: Which one.
            request: What it is asked.
            summary: What people see of it.
            preset: How often and how long it is tried, where that is not the step's own.
            step_id: Its activity id, where a grant names it; else one is made.

        Raises:
            StepDenied: The guard refused it.
            ApplicationError: It failed for good.
        """
        await self._keep_to_rehearsal(step, request)
        self.begin(summary)
        with Parking() as parking:
            while True:
                try:
                    return await self._try_once(step, request, summary=summary, preset=preset, step_id=step_id)
                except StepWaits as waits:
                    await self.park(waits, parking)

    async def attempt(
        self,
        step: Step[Request, Response],
        request: Request,
        *,
        summary: str,
        preset: Preset | None = None,
        step_id: str | None = None,
    ) -> Response:
        """Take one step, as `step` does, and leave it to the caller what is done about an outage.

        Raises:
            StepWaits: The preset's tries are used up, on something that may be over soon.
            StepDenied: The guard refused it.
            ApplicationError: It failed for good.
        """
        await self._keep_to_rehearsal(step, request)
        return await self._try_once(step, request, summary=summary, preset=preset, step_id=step_id)

    async def _try_once(
        self,
        step: Step[Request, Response],
        request: Request,
        *,
        summary: str,
        preset: Preset | None,
        step_id: str | None,
    ) -> Response:
        try:
            return await execute(step, request, summary=visible(summary), preset=preset or step.preset, step_id=step_id)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            why, once = _worth_waiting_for(error), step.effect is Effect.DESTRUCTIVE
            raise StepWaits(why, step=error.activity_type, once=once) from error

    async def _keep_to_rehearsal(self, step: Step[Request, Response], request: Request) -> None:
        """Halt before what the rehearsal did not do, until somebody who may says yes.

        Raises:
            StepDenied: Nobody is asked, or nobody may say yes.
            NotApproved: They did not.
        """
        if self._effects.begins(step, request) is None:
            return
        async with self._asking:  # steps run side by side: people are asked one question at a time, and none twice
            surprise = self._effects.begins(step, request)
            if surprise is not None:
                await self.report_surprises((surprise,))
                await self.ask_about(surprise)
                self._effects.allow((surprise,))
                self._effects.begins(step, request)

    async def report_surprises(self, surprises: tuple[RehearsedEffect, ...]) -> None:
        """Have them counted, and written into the audit log."""
        await self.step(
            REPORT_SURPRISE, self._effects.report(surprises), summary=f"Report surprise: {surprises[0].action}"
        )

    async def ask_about(self, surprise: RehearsedEffect) -> None:
        """Return where people let a surprise be. A goal that nobody approves asks nobody.

        Raises:
            StepDenied: With the effect, and what to do.
        """
        raise StepDenied(refusal(surprise))

    async def run_command(
        self,
        step: Step[Request, Response],
        request: Request,
        *,
        command: timedelta,
        summary: str,
    ) -> Response:
        """Take one step that runs a command in the sandbox; a cancelled goal ends when the command has stopped.

        Args:
            step: Which one.
            request: What it is asked.
            command: How long the command may take.
            summary: What people see of it.

        Raises:
            StepDenied: The guard refused it.
            ApplicationError: It failed for good.
            asyncio.CancelledError: The goal is cancelled, and nothing of the command runs any more.
        """
        stops_first = workflow.patched(_STOPS_FIRST)
        preset = run_preset(command, stops_first=stops_first)
        answer = await self.step(step, request, preset=preset, summary=summary)
        if stops_first:
            self.end_if_cancelled()
        return answer

    def end_if_cancelled(self) -> None:
        """A step that was waited for, and that ended by itself just then, took the cancellation."""
        if workflow.cancellation_reason() is not None:
            raise asyncio.CancelledError

    def begin(self, summary: str) -> None:
        """Show what is being done now."""
        self._step = visible(summary)
        workflow.set_current_details(f"**Now:** {self._step}")

    async def park(self, waits: StepWaits, parking: Parking) -> None:
        """Wait until a person sends the update `resume`, or cancels the goal; in between it tries by itself.

        Args:
            waits: What it waits for.
            parking: At this step: each time it waits longer, and people are told once until one of them resumes it.
        """
        tries_by_itself = workflow.patched(_TRIES_BY_ITSELF)
        if tries_by_itself and workflow.cancellation_reason() is not None:
            raise CancelledInDoubt(str(waits))
        self._waiting_for = why = waits.told
        self._resumed = False
        pause = pause_of_parked(parking.times) if tries_by_itself else None
        parking.times += 1
        again = f"It tries again at {workflow.now() + pause:%Y-%m-%d %H:%M} UTC by itself. " if pause else ""
        name = shlex.quote(visible(workflow.info().workflow_id))
        self._show(
            State.PARKED,
            f"**Parked:** {why}\n\n{again}{_way_on(name, once=waits.once)}",
        )
        if workflow.patched(_TELLS_PEOPLE):
            await parking.tell(waits.step)
        await tell_plan(why)
        with contextlib.suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._resumed, timeout=pause)
        if self._resumed:
            parking.over()
        self._waiting_for = None
        self._show(State.RUNNING, f"**Now:** {self._step}")
        await tell_plan(None)

    def _show(self, state: GoalState, details: str) -> None:
        self._state = state
        workflow.upsert_search_attributes([STATE_ATTRIBUTE.value_set(state.value)])
        workflow.set_current_details(unhidden_lines(details))


def _way_on(name: str, *, once: bool) -> str:
    """What a person does with a parked goal."""
    if once:
        return (
            f"Where it had begun, cancel the workflow and start it anew; else mend it, then `banksman resume {name}`."
        )
    return f"Mend it, then `banksman resume {name}`; or cancel the workflow."


def _worth_waiting_for(error: ActivityError) -> str:
    """What a step that used up its retries waits for; raises what no waiting can mend."""
    cause = error.cause
    if (why := waits_for(error.activity_type, cause)) is not None:
        return why
    if not isinstance(cause, ApplicationError):
        raise error
    if cause.type == ErrorType.POLICY_DENIED:
        denial = denial_of(cause)
        raise StepDenied(cause.message, reason=denial.reason if denial else None) from error
    raise ApplicationError(cause.message, *cause.details, type=cause.type, non_retryable=True) from error
