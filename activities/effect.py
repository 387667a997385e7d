"""What a step would do to the world, as people would know it: for the list of a rehearsal, and for what keeps to it."""

from typing import Any, Final, Protocol, runtime_checkable

from pydantic import BaseModel

from activities.guard.granted import GrantedRequest
from activities.queues import PEOPLE_QUEUES
from activities.step import Step
from hitl.approval.plan import Plan
from hitl.approval.rehearsal import RehearsedEffect, names
from hitl.protocol import Effect, HasPolicyContext, HasSpend, PolicyContext

_OURS: Final = frozenset({"approval", "agent"})
"""The systems whose steps are about what people approve, and touch nothing else."""

_MADE_ANEW: Final = frozenset({"purpose", "cost", "provider"})
"""Of a policy's context: what it costs is beside the identity, and the step's name says the provider."""

_PINNED: Final = ("expected_head", "method", "commit")
"""Parameters of a plan that are the same wherever the thing is the same, besides what it touches."""


@runtime_checkable
class HasRecognition(Protocol):
    """A request that says what people know its effect by, where that is more than what the policy matches."""

    def recognised_by(self) -> tuple[str, ...]:
        """Names, each with what it is, as in `branch feature/basket`. No id that the run makes for itself."""
        ...


@runtime_checkable
class HasOwnIds(Protocol):
    """A request by an id that the run has made, which names the same thing in `recognised_by`."""

    def made_by_the_run(self) -> frozenset[str]:
        """The fields of its policy context that hold one."""
        ...


def effect_of(step: Step[Any, Any], request: BaseModel) -> RehearsedEffect | None:
    """The effect of a step; None where it has none outside.

    Args:
        step: Which one.
        request: What it is asked.

    Raises:
        ValueError: The request is unclear.
    """
    nobody_is_there = step.queue in PEOPLE_QUEUES  # in a rehearsal
    if step.effect is Effect.READ or step.gives_up or nobody_is_there or step.name.partition(".")[0] in _OURS:
        return None
    if isinstance(request, GrantedRequest):
        return effect_of_plan(request.approved())
    context = request.policy_context() if isinstance(request, HasPolicyContext) else PolicyContext()
    own = request.made_by_the_run() if isinstance(request, HasOwnIds) else frozenset[str]()
    more = request.recognised_by() if isinstance(request, HasRecognition) else ()
    cents = request.spend() if isinstance(request, HasSpend) else None
    return RehearsedEffect(action=step.name, on=names(*_said(context, own), *more), cents=cents)


def effect_of_plan(plan: Plan) -> RehearsedEffect:
    """The effect of a destructive step: what its plan says that it touches, and what becomes of that.

    Raises:
        ValueError: The plan is unclear.
    """
    touched = sorted(f"{one.change} {one.kind} {one.name}" for one in plan.resources)
    pinned = [f"{name} {plan.parameters[name]}" for name in _PINNED if isinstance(plan.parameters.get(name), str)]
    return RehearsedEffect(
        action=plan.action, on=names(*_said(plan.policy_context()), *pinned, *touched), cents=plan.spend()
    )


def _said(context: PolicyContext, own: frozenset[str] = frozenset()) -> list[str]:
    fields = {name: value for name, value in context.fields().items() if name not in _MADE_ANEW | own}
    owner, name = fields.pop("repository_owner", None), fields.pop("repository_name", None)
    repository = [f"repository {owner}/{name}"] if owner and name else []
    return [*repository, *(f"{name} {value}" for name, value in sorted(fields.items()))]
