"""What a plan takes of the day on which people's decisions count: all that it knows of before anybody is asked."""

import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.models.decision_contracts import COUNT_DECISIONS, MOST, CountDecisions
    from hitl.plan_language.bound import BoundPlan, BoundStep
    from hitl.protocol import Effect
    from workflows.goal import Goal, StepDenied, StepWaits


class PlanDecisions:
    """Of one run of a plan.

    Args:
        limited: Whether any day is; else nothing is counted.
    """

    def __init__(self, *, limited: bool) -> None:
        self._limited = limited
        self._day: str | None = None

    async def reserve(self, goal: Goal, decisions: int) -> str | None:
        """Take so many of today, in all; why that cannot be, or None."""
        if not self._limited:
            return None
        request = CountDecisions(decisions=min(decisions, MOST), day=self._day)
        counted = await goal.step(
            COUNT_DECISIONS,
            request,
            summary=f"Set {decisions} decisions of people aside",
            preset=COUNT_DECISIONS.preset.ending_first(),  # a plan that is cancelled has to know what it took
        )
        if counted.refused is None:
            self._day = counted.day
        goal.end_if_cancelled()
        return counted.refused

    @property
    def are_set_aside(self) -> bool:
        """Whether any are."""
        return self._day is not None

    async def settle(self, goal: Goal, decisions: int, *, within: timedelta | None = None) -> None:
        """Give back what was not used. What cannot be given back now counts: the plan does not wait for it.

        Args:
            goal: Whose step it is.
            decisions: How often people had to decide.
            within: How long that may take, where it is less than usual.
        """
        if self._day is None:
            return
        request = CountDecisions(decisions=decisions, day=self._day, ended=True)
        with contextlib.suppress(StepWaits, StepDenied, ApplicationError):
            await goal.attempt(
                COUNT_DECISIONS,
                request,
                summary="Give back decisions that were not needed",
                preset=None if within is None else COUNT_DECISIONS.preset.within(within),
            )

    def of_step(self, step: BoundStep) -> int | None:
        """How often a step's goal may have people decide before it counts that itself."""
        return asked_by_each(step) if self._limited else None


def asked_by_each(step: BoundStep) -> int:
    """How often a step has people decide, as it is known beforehand."""
    return int(step.effect is Effect.DESTRUCTIVE)


def asked_by_all(bound: BoundPlan) -> int:
    """The same of all its steps."""
    return sum(map(asked_by_each, bound.steps))
