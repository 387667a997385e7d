"""How a goal keeps to its rehearsal: what it does is noted, and what the rehearsal did not do is not done unasked."""

from collections.abc import Iterable
from typing import Any, Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.approvals.surprise_contracts import (
        ALLOW_SURPRISE,
        MOST_AT_ONCE,
        AllowSurpriseParameters,
        ReportSurprise,
    )
    from activities.effect import effect_of, effect_of_plan
    from activities.step import Step
    from hitl.approval.plan import Change, Plan, Resource, Risk
    from hitl.approval.rehearsal import MOST_EFFECTS, Rehearsal, RehearsedEffect
    from hitl.approval.sequence import AnyPlan, steps_of

_Identity = tuple[str, tuple[str, ...]]


class Effects:
    """What one run of a goal does to the world.

    Args:
        rehearsal: What it keeps to; None where nobody rehearsed it.
    """

    def __init__(self, rehearsal: Rehearsal | None) -> None:
        self.rehearsal = rehearsal
        self._had: dict[_Identity, RehearsedEffect] = {}
        self._allowed: set[_Identity] = set()

    @property
    def had(self) -> tuple[RehearsedEffect, ...]:
        """Each once, in the order in which it began."""
        return tuple(self._had.values())

    def begins(self, step: Step[Any, Any], request: BaseModel) -> RehearsedEffect | None:
        """Note a step that begins. The effect of one that is a surprise, and is not to begin yet; None of any other."""
        try:
            effect = effect_of(step, request)
        except ValueError:
            return None  # the guard refuses what is unclear, with its reason
        if effect is None:
            return None
        if self._is_surprise(effect):
            return effect
        if len(self._had) <= MOST_EFFECTS:
            self._had.setdefault(effect.identity, effect)
        return None

    def surprises_of(self, plan: AnyPlan) -> tuple[RehearsedEffect, ...]:
        """What a plan would do that is a surprise."""
        if self.rehearsal is None or plan.action == ALLOW_SURPRISE.name:
            return ()
        return tuple(one for step in steps_of(plan) if self._is_surprise(one := effect_of_plan(step)))

    def shown_on(self, plan: AnyPlan, surprises: tuple[RehearsedEffect, ...]) -> AnyPlan:
        """The plan with the rehearsal's list, under the digest that people approve."""
        if self.rehearsal is None:
            return plan
        return plan.model_copy(update={"rehearsal": self.rehearsal.shown(surprises)})

    def allow(self, effects: Iterable[RehearsedEffect]) -> None:
        """People have seen these, and said yes."""
        self._allowed.update(one.identity for one in effects)

    def report(self, effects: tuple[RehearsedEffect, ...]) -> ReportSurprise:
        """What is counted."""
        return ReportSurprise(rehearsal=self._known.digest, effects=effects[:MOST_AT_ONCE])

    def plan_to_allow(self, effect: RehearsedEffect) -> Plan:
        """What people are asked about a step that nobody approves by itself."""
        parameters = AllowSurpriseParameters(resource=effect.words(), rehearsal=self._known.digest)
        kind, touched = "rehearsal", effect.on or (effect.action,)
        return Plan(
            action=ALLOW_SURPRISE.name,
            parameters=parameters.model_dump(),
            resources=tuple(Resource(kind=kind, name=name, change=Change.UPDATE) for name in touched),
            summary=(f"Go on with what the rehearsal did not do: {effect.words()}"[:500], told(effect)),
            risk=Risk.MEDIUM,
        )

    def _is_surprise(self, effect: RehearsedEffect) -> bool:
        if self.rehearsal is None or effect.identity in self._allowed:
            return False
        return not self.rehearsal.lists(effect)

    @property
    def _known(self) -> Rehearsal:
        if self.rehearsal is None:
            raise RuntimeError("there is no surprise without a rehearsal")
        return self.rehearsal


_WAY_OUT: Final = "Something has moved since it was rehearsed: look at it, and rehearse again"


def told(effect: RehearsedEffect) -> str:
    """Why a goal stops before an effect, and what to do."""
    return f"{effect.action!r} is not on the list of the rehearsal. {_WAY_OUT}"


def refusal(effect: RehearsedEffect) -> str:
    """The same with what it touches, for a goal that nobody is asked about."""
    return f"not on the list of the rehearsal: {effect.words()}. {_WAY_OUT}, or run it without a rehearsal"
