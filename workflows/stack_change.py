"""What goals do that change a stack: plan on what is really there, ask people, apply exactly that, and look again."""

from contextlib import AbstractAsyncContextManager
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.stack_contracts import DriftLook, PreparedStack, StackChanged, StackPreviewed
    from activities.stacks import StackActivities
    from connectors.pulumi.outcome import Deed, Ended, Failure
    from connectors.pulumi.urn import read_urn
    from hitl.plan import Plan, read_plan, visible
    from workflows.approved_step import ApprovingGoal
    from workflows.contracts import DestructiveGoalInput, Outcome
    from workflows.stack_goal import StackGoal
    from workflows.stack_inputs import StackAsked, StackResult

REPLANS: Final = 3
"""How often people are asked anew because the stack, the world or the commit is not what they approved."""

MOST_LISTED: Final = 200

OUTCOMES: Final[dict[Ended, Outcome]] = {
    Ended.APPLIED: "completed",
    Ended.REFUSED: "refused",
    Ended.PARTIALLY_APPLIED: "partially_applied",
    Ended.UNKNOWN: "unknown",
}
"""How a goal ends whose change of a stack ended so."""


class NothingToDo(Exception):
    """The stack is as it should be: there is nothing to approve."""


class StackChange(StackGoal, ApprovingGoal):
    """The part that goals share which change a stack. Not a workflow by itself."""

    def __init__(self, request: DestructiveGoalInput, asked: StackAsked) -> None:
        super().__init__(request)
        self._asked_for = asked
        self._prepared: PreparedStack | None = None
        self._previewed = StackPreviewed()

    def progressed(self, line: str) -> None:
        """It is also said below the message about the approval."""
        self.progress = line

    @property
    def prepared(self) -> PreparedStack:
        """The project, once it was taken apart."""
        if self._prepared is None:
            raise RuntimeError("the project was used before it was prepared")
        return self._prepared

    def planned(self, previewed: StackPreviewed) -> Plan:
        """The plan that people are asked about.

        Raises:
            NothingToDo: It changes nothing.
        """
        self._previewed = previewed
        if previewed.plan is None:
            raise NothingToDo
        return read_plan(previewed.plan)

    def unchanged(self) -> AbstractAsyncContextManager[None]:
        """Have the stack alone, while what is asked for is still the commit that was planned.

        Entering it raises `ApplicationError` of type `Conflict` where it is another one.
        """
        asked, commit = self._asked_for, self.prepared.commit
        return self.holding(self.prepared, asked.place, first=lambda: self.require_commit(asked, commit))

    def denied(self, reason: str) -> StackResult:
        """The result of a goal that was refused."""
        return self.result().model_copy(update={"outcome": "denied", "reason": reason})

    def result(self) -> StackResult:
        """What is known by now."""
        prepared, place = self._prepared, self._asked_for.place
        return StackResult(
            repository=place.repository,
            stack=place.stack,
            project=prepared.project if prepared else None,
            commit=prepared.commit if prepared else None,
            headline=self._previewed.headline,
            plan=self._previewed.whole_plan,
            state_before=self._previewed.exported,
            state_after=self._previewed.exported,
        )

    async def ended(self, changed: StackChanged) -> StackResult:
        """The result of a change; one that was applied is looked at by another process, with other credentials."""
        outcome = changed.outcome
        kind = OUTCOMES[outcome.ended]
        told = self.result().model_copy(
            update={
                "outcome": kind,
                "reason": None if kind == "completed" else f"{_WORDS[outcome.ended]} {outcome.next_step}",
                "done": _deeds(outcome.done),
                "not_done": _deeds(outcome.not_done),
                "unplanned": _deeds(outcome.unplanned),
                "failed": _failures(outcome.failed),
                "in_doubt": _failures(outcome.in_doubt),
                "errors": outcome.errors,
                "next_step": outcome.next_step,
                "outputs": changed.outputs,
                "events": changed.events,
                "state_after": changed.exported,
            }
        )
        if kind != "completed":
            return told
        return told.model_copy(update={"drift": await self._seen_afterwards()})

    async def _seen_afterwards(self) -> tuple[str, ...]:
        place, prepared = self._asked_for.place, self.prepared
        async with self.holding(prepared, place):
            seen = await self.look(
                StackActivities.detect_drift,
                lambda secrets: DriftLook(place=place, prepared=prepared, secrets=secrets),
                place=place,
                summary="Look whether it is so",
            )
        return seen.lines if seen.fingerprints or not seen.complete else ()


_WORDS: Final = {
    Ended.REFUSED: "Pulumi refused before anything was changed.",
    Ended.PARTIALLY_APPLIED: "Some of it was done, and some was not.",
    Ended.UNKNOWN: "Nobody can say whether it was done.",
}


def _deeds(deeds: tuple[Deed, ...]) -> tuple[str, ...]:
    return tuple(f"{one.change.value} {_named(one.urn)}" for one in deeds[:MOST_LISTED])


def _failures(failures: tuple[Failure, ...]) -> tuple[str, ...]:
    return tuple(f"{one.op} {_named(one.urn)}" for one in failures[:MOST_LISTED])


def _named(urn: str) -> str:
    try:
        read = read_urn(urn)
    except ValueError:
        return visible(urn)
    return visible(f"{read.type} {read.name}")
