"""How a plan of goals keeps to its rehearsal: each goal to its own part, and what was not rehearsed is said first.

The acting part is bound anew in the real run, so it may be another one than was rehearsed. A step that is not in it
with the same literals was not rehearsed: people see it on top of the plan that they approve, and no policy lets the
plan run without them.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.agent.contracts import RUN_PLAN, RunPlanParameters
    from hitl.approval.plan import Plan
    from hitl.approval.rehearsal import Rehearsal, RehearsedEffect, digest_of_inputs, names
    from hitl.approval.sequence import AnyPlan
    from hitl.plan_language.bound import BoundPlan, BoundStep
    from hitl.protocol import Effect
    from workflows.rehearsed import Effects


class EffectsOfAPlan(Effects):
    """What a plan does to the world is what its goals do; its own surprises are goals that were not rehearsed."""

    def surprises_of(self, plan: AnyPlan) -> tuple[RehearsedEffect, ...]:
        """Steps that do more than read and are not in the rehearsal; said each time that people are asked."""
        if plan.action != RUN_PLAN.name or not isinstance(plan, Plan):
            return super().surprises_of(plan)
        return self.not_rehearsed(plan.parameters_as(RunPlanParameters).bound())

    def not_rehearsed(self, bound: BoundPlan) -> tuple[RehearsedEffect, ...]:
        """The same of a plan that is bound; nothing where nobody rehearsed it."""
        if self.rehearsal is None:
            return ()
        acting = (one for one in bound.steps if one.effect is not Effect.READ)
        return tuple(_said(self.rehearsal, one) for one in acting if self._of(one) is None)

    def kept_to(self, step: BoundStep) -> BoundStep:
        """The step with its part of the rehearsal in its inputs; as it is where it was not rehearsed."""
        part = self._of(step)
        if part is None:
            return step
        inputs: dict[str, JsonValue] = {**step.inputs, "rehearsal": part.model_dump(mode="json")}
        return step.model_copy(update={"inputs": inputs})

    def _of(self, step: BoundStep) -> Rehearsal | None:
        if self.rehearsal is None:
            return None
        return self.rehearsal.of_step(step.id, step.goal, digest_of_inputs(step.goal, dict(step.inputs)))


def _said(rehearsal: Rehearsal, step: BoundStep) -> RehearsedEffect:
    known = next((one for one in rehearsal.steps if one.id == step.id), None)
    why = "it was not in the plan that was rehearsed"
    if known is not None:
        why = known.why or "it was rehearsed with other inputs"
    return RehearsedEffect(action=RUN_PLAN.name, on=names(f"step {step.id}", f"goal {step.goal}", why))
