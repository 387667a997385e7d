"""What goals do that change a stack: plan on what is really there, ask people, apply exactly that, and look again."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.pulumi.contracts import (
        DETECT_DRIFT,
        PREVIEW_STACK,
        READ_OUTPUTS,
        REFRESH_STACK,
        DriftLook,
        DriftSeen,
        OutputsLook,
        PreviewRequest,
        SaidDone,
        StackChanged,
        StackLook,
        StackOutputs,
        StackPreviewed,
    )
    from activities.step_end import StepEnd, Way, headline
    from connectors.pulumi.outcome import Ended
    from hitl.approval.plan import Plan, read_plan
    from workflows.approval.approved_step import ApprovingGoal
    from workflows.contracts import DestructiveGoalInput, State
    from workflows.pulumi.access import StackAccess
    from workflows.pulumi.goal import StackGoal
    from workflows.pulumi.goals import StackAsked, StackResult

_LOOKED_WHATEVER_IS_SAID: Final = "look-whatever-is-said"
"""The patch: runs that began without it looked only where all is said to be done."""

REPLANS: Final = 3
"""How often people are asked anew because the stack, the world or the commit is not what they approved."""

MOST_LISTED: Final = 200


_SHOWN: Final = 3


def state_moved(name: str) -> ApplicationError:
    """What voids an approval whose stack has another state by now."""
    return application_error(
        ErrorType.CONFLICT,
        f"the state of {name} is another one than people approved a change of: what was approved is not applied, and "
        "is planned again",
    )


class NothingToDo(Exception):
    """The stack is as it should be: there is nothing to approve."""


class StackChange:
    """One change of a stack: its plan, and how what is said of it is verified and told.

    Args:
        stack: What is changed.
        confirmed: Whether the goal had it verified while it still held the stack.
    """

    def __init__(self, stack: StackAccess, *, confirmed: Callable[[], bool]) -> None:
        self._stack: StackAccess = stack
        self._confirmed = confirmed
        self._drift = DriftSeen()
        self._planned_on = DriftSeen()
        self.previewed = StackPreviewed()

    async def plan(
        self, *, refresh: bool = True, why: str = "", then: Callable[[], Awaitable[None]] | None = None
    ) -> Plan:
        """Prepare the program, and plan what it changes.

        Args:
            refresh: Whether the plan is made on what is really there.
            why: One line for people, first in the plan.
            then: Done once `previewed` is known, while the goal still has the stack.

        Raises:
            NothingToDo: It changes nothing.
        """
        stack = self._stack
        prepared = await stack.prepare()
        async with stack.holding():
            drift = await stack.inspect(REFRESH_STACK, StackLook, summary="Refresh state") if refresh else None
            self._planned_on = drift or DriftSeen()
            previewed = await stack.inspect(
                PREVIEW_STACK,
                partial(PreviewRequest, drift=drift.report if drift else None, why=why),
                summary=f"Preview {stack.name} at {prepared.commit[:12]}",
            )
            if then is not None:
                self.previewed = previewed
                await then()
        return self.planned(previewed)

    async def require_as_planned(self) -> None:
        """Look whether the state and what it is of are as they were when it was planned. The goal has the stack.

        The update looks for itself; this is for what is changed before it, and would have to be taken back.

        Raises:
            ApplicationError: `Conflict`: they are not.
        """
        known, name = self._planned_on.fingerprints, self._stack.name
        look = partial(DriftLook, known=known)
        seen = await self._stack.inspect(DETECT_DRIFT, look, summary=f"Look at {name} once more")
        if seen.state != self.previewed.state:
            raise state_moved(name)
        if new := set(seen.fingerprints) - set(known):
            told = "; ".join(line.strip() for line in seen.new[:_SHOWN]) or f"{len(new)} differences"
            raise application_error(
                ErrorType.CONFLICT,
                f"somebody changed {name} past its state ({told}): what was approved is not applied, and is planned "
                "again",
            )

    def planned(self, previewed: StackPreviewed) -> Plan:
        """The plan that people are asked about.

        Raises:
            NothingToDo: It changes nothing.
        """
        self.previewed = previewed
        if previewed.plan is None:
            raise NothingToDo
        return read_plan(previewed.plan)

    def denied(self, reason: str) -> StackResult:
        """The result of a goal that was refused."""
        return self.result().model_copy(update={"outcome": State.DENIED, "reason": reason})

    def result(self) -> StackResult:
        """What is known by now."""
        prepared, place = self._stack.known, self._stack.place
        return StackResult(
            repository=place.repository,
            stack=place.stack,
            project=prepared.project if prepared else None,
            commit=prepared.commit if prepared else None,
            headline=self.previewed.headline,
            plan=self.previewed.whole_plan,
            state_before=self.previewed.exported,
            state_after=self.previewed.exported,
        )

    async def ended(self, changed: StackChanged) -> StackResult:
        """The result of a change; one that was applied is looked at by another process, with other credentials."""
        outcome, end = changed.outcome, changed.end()
        kind = end.way
        told = self.result().model_copy(
            update={
                "outcome": State(kind),
                "reason": None if kind == "completed" else f"{_sentence(end)} {outcome.next_step}",
                "done": _listed(end.done),
                "not_done": _listed(end.not_done),
                "unplanned": _listed(end.unplanned),
                "failed": _listed(end.failed),
                "in_doubt": _listed(end.in_doubt),
                "errors": outcome.errors,
                "next_step": outcome.next_step,
                "outputs": changed.outputs,
                "events": changed.events,
                "state_after": changed.exported,
            }
        )
        if kind != "completed":
            return told
        if not self._confirmed():
            async with self._stack.holding():
                self._drift = await self._seen_afterwards()
        return told.model_copy(update={"drift": _drift_lines(self._drift)})

    async def verify(self, plan: Plan, changed: StackChanged) -> None:
        """Look whether what is said of a change is so, by the state, while this goal still has the stack.

        Raises:
            ApplicationError: `OutcomeUnknown`: it is not.
        """
        match changed.outcome.ended:
            case Ended.APPLIED:
                self._drift = await self._seen_afterwards()
                if self._drift.missing != 0:
                    raise self.doubted(plan, f"{self._drift.missing or 'all'} of its changes are not in the state")
            case Ended.REFUSED if self.looks_whatever_is_said():
                seen = await self.state_now(self._said(refused=True))
                if seen.otherwise != 0:
                    raise self.doubted(plan, "its state is another than before", way="refused")
            case Ended.PARTIALLY_APPLIED if self.looks_whatever_is_said():
                seen = await self.state_now(self._said(done=tuple(one.urn for one in changed.outcome.done)))
                if seen.otherwise != 0:
                    why = f"{seen.otherwise or 'all'} of the changes that it names as done are not in the state"
                    raise self.doubted(plan, why, way="partially_applied")
            case _:
                pass  # nobody can say, and that is what people are told

    def looks_whatever_is_said(self) -> bool:
        """Whether to look also where a step says that it did not do all; for that, and in that place, alone."""
        return workflow.patched(_LOOKED_WHATEVER_IS_SAID)

    def doubted(self, plan: Plan, why: str, *, way: Way = "completed") -> ApplicationError:
        """What a goal ends with of whose change is said what is not seen.

        Args:
            plan: What was approved.
            why: What is seen.
            way: How the change is said to have ended.
        """
        return application_error(
            ErrorType.OUTCOME_UNKNOWN,
            f"{plan.action} is said to be {headline(way)}, on {self._stack.name}; {why}: look at what happened there",
        )

    async def state_now(self, said: SaidDone | None = None) -> StackOutputs:
        """The state, looked at alone: providers, which may be why a change was not made, are not asked."""
        return await self._stack.inspect(READ_OUTPUTS, partial(OutputsLook, said_done=said), summary="Verify state")

    def _said(self, *, done: tuple[str, ...] | None = None, refused: bool = False) -> SaidDone | None:
        whole_plan, exported = self.previewed.whole_plan, self.previewed.exported
        if whole_plan is None or exported is None:
            return None
        return SaidDone(whole_plan=whole_plan, exported=exported, done=done, refused=refused)

    async def _seen_afterwards(self) -> DriftSeen:
        look = partial(DriftLook, said_done=self._said())
        return await self._stack.inspect(DETECT_DRIFT, look, summary="Verify no drift")


class StackChangeGoal(StackGoal, ApprovingGoal):
    """The part that goals share which change a stack with people's consent. Not a workflow by itself."""

    def __init__(self, request: DestructiveGoalInput, asked: StackAsked) -> None:
        super().__init__(request, asked)
        self.change = StackChange(self.stack, confirmed=lambda: self.confirmed)

    def progressed(self, line: str) -> None:
        """It is also said below the message about the approval."""
        self.progress = line


def _drift_lines(seen: DriftSeen) -> tuple[str, ...]:
    """What stands otherwise than the state says, for people."""
    return seen.lines if seen.fingerprints or not seen.complete else ()


def _sentence(end: StepEnd) -> str:
    told = end.sentence()
    return f"{told[0].upper()}{told[1:]}{'' if told.endswith('.') else '.'}"


def _listed(lines: tuple[str, ...]) -> tuple[str, ...]:
    """As many as a result may hold; where that is not all, the last line says so."""
    if len(lines) <= MOST_LISTED:
        return lines
    return (*lines[:MOST_LISTED], f"{MOST_LISTED} of {len(lines)} listed; the event log has them all")
