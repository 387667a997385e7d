"""A stack's plan as the plan that people approve and that the guard checks (`hitl/approval/plan.py`).

That one is at most 128 KiB and has one text. So what is bulky is in it by digest only: the plan file, the program, and
the whole of what would change, which the console shows. What a person is asked to sign says how many changes there
are, and lists first what destroys; what is cut is what is least dangerous, and the cut is said.
"""

from typing import Final

from connectors.pulumi.changes import ChangeKind, ResourceChange
from connectors.pulumi.digests import ApprovedInputs, Digest, Identity
from connectors.pulumi.rendering import MAX_LINES, short_lines
from connectors.pulumi.stack_plan import StackPlan
from hitl.approval.plan import Change, Cost, Plan, PlanError, PlanParameters, Resource, Risk
from hitl.hidden import visible

UP_ACTION: Final = "pulumi.update_stack"
DESTROY_ACTION: Final = "pulumi.destroy_stack"
UNLOCK_ACTION: Final = "pulumi.unlock_stack"
RESTORE_ACTION: Final = "pulumi.restore_state"

_MOST_RESOURCES: Final = 500
_LONGEST: Final = 500
_CHANGES: Final = {
    ChangeKind.CREATE: Change.CREATE,
    ChangeKind.UPDATE: Change.UPDATE,
    ChangeKind.REPLACE: Change.REPLACE,
    ChangeKind.DELETE: Change.DELETE,
    ChangeKind.IMPORT: Change.CREATE,
    ChangeKind.FORGET: Change.DELETE,
    ChangeKind.OTHER: Change.REPLACE,
}


class StackParameters(PlanParameters):
    """What every plan on a stack says.

    Attributes:
        repository: `OWNER/NAME`; rules can match it.
        folder: Of the project in the repository; `.` for its root.
        prepared: The artifact with all that a run needs of the project.
    """

    repository: str
    folder: str
    project: str
    stack: str
    prepared: Digest


class UpdateStackParameters(StackParameters):
    """All that the step which runs `up --plan` is told.

    Attributes:
        environment: Of the deployment.
        inputs: What is compared again under the lock, right before.
        salt: The stack's encryption salt; not secret itself.
        exported: The state that the plan was made on.
        whole_plan: The artifact with the `StackPlan` as JSON: the measure for how the up ended.
    """

    environment: str
    inputs: ApprovedInputs
    salt: str
    exported: Digest
    whole_plan: Digest

    @property
    def of_commit(self) -> str:
        """Of the program."""
        return self.inputs.commit


class DestroyStackParameters(StackParameters):
    """All that the step which destroys a stack is told; no program is run.

    Attributes:
        environment: Of the deployment.
        commit: From which the project's name was read.
        state: The identity of the state that was looked at; another one is not destroyed.
        update_version: Of the last update then, on Pulumi Cloud; other backends have none.
        image: Of the engine, by digest.
    """

    environment: str
    commit: str
    state: Identity
    update_version: int | None = None
    image: Digest
    salt: str
    exported: Digest
    whole_plan: Digest

    @property
    def of_commit(self) -> str:
        """Of the project."""
        return self.commit


class RestoreStateParameters(StackParameters):
    """All that the step which puts a kept state back is told; no program is run, and no provider.

    Attributes:
        environment: Of the deployment.
        commit: From which the project's name was read.
        state: The identity of the state that was looked at; another one is not replaced.
        backup: The artifact with the state that is put back.
        restored: The identity of the state that is there afterwards.
        image: Of the engine, by digest.
        exported: The artifact with the state that is replaced: by it the restoring itself can be undone.
        whole_plan: The artifact with the `StackPlan` as JSON.
    """

    environment: str
    commit: str
    state: Identity
    backup: Digest
    restored: Identity
    image: Digest
    salt: str
    exported: Digest
    whole_plan: Digest

    @property
    def of_commit(self) -> str:
        """Of the project."""
        return self.commit


ChangeParameters = UpdateStackParameters | DestroyStackParameters | RestoreStateParameters
"""Of the plans that are about what a stack holds."""


class UnlockStackParameters(StackParameters):
    """All that the step which takes Pulumi's lock away is told.

    Attributes:
        owner: The run that left it; it must be gone.
    """

    owner: str


def approval_plan(
    plan: StackPlan,
    parameters: ChangeParameters,
    *,
    action: str = UP_ACTION,
    why: str = "",
) -> Plan:
    """The plan for the approval; always fits.

    Args:
        plan: What would change.
        parameters: What the step is told.
        action: The step.
        why: Lines for people, before all others.

    Raises:
        PlanError: There is nothing to approve, or plan and parameters are not about the same thing.
    """
    if plan.empty:
        raise PlanError(f"the plan for {plan.project}/{plan.stack} changes nothing: there is nothing to approve")
    told = (plan.project, plan.stack, plan.commit)
    if told != (parameters.project, parameters.stack, parameters.of_commit):
        raise PlanError(f"the plan is of {'/'.join(told)}, and its parameters are not: plan again")
    restores = isinstance(parameters, RestoreStateParameters)
    resources = [_resource(one, known=restores) for one in plan.changes] or [_outputs(plan)]
    made = Plan(
        action=action,
        parameters=parameters.model_dump(mode="json"),
        resources=tuple(resources[:_MOST_RESOURCES]),
        summary=_summary(plan, len(resources) - _MOST_RESOURCES),
        # What the next update makes or deletes is for Pulumi's belief to say.
        risk=Risk.HIGH if restores else risk_of(plan),
        cost=Cost(usd_cents=plan.cost.adds_usd_cents, per="month") if plan.cost.known else None,
    )
    fitting = _fitting(plan, made)
    first = tuple(map(_cut, why.splitlines()))
    return fitting.model_copy(update={"summary": (*first, *fitting.summary)[:MAX_LINES]}) if first else fitting


def risk_of(plan: StackPlan) -> Risk:
    """High: something that holds state is destroyed, or nobody can say what happens. Medium: anything is destroyed."""
    if any((one.destroys and one.stateful) or one.change is ChangeKind.OTHER for one in plan.changes):
        return Risk.HIGH
    if any(one.destroys for one in plan.changes) or plan.overwrites:
        return Risk.MEDIUM
    return Risk.LOW


def _resource(change: ResourceChange, *, known: bool) -> Resource:
    """What is touched; where `known`, that is what Pulumi knows of it, and nothing else."""
    kind = f"Pulumi's knowledge of {change.type}" if known else change.type
    return Resource(kind=_cut(kind), name=_cut(change.name), change=_CHANGES[change.change])


def _outputs(plan: StackPlan) -> Resource:
    return Resource(kind="stack outputs", name=_cut(f"{plan.project}/{plan.stack}"), change=Change.UPDATE)


def _summary(plan: StackPlan, unlisted: int) -> tuple[str, ...]:
    """The last line is kept free for what is not listed."""
    lines = short_lines(plan, most=MAX_LINES - 1)
    return (*lines, f"{unlisted} more resources are only in the whole plan") if unlisted > 0 else lines


def _fitting(plan: StackPlan, made: Plan) -> Plan:
    """With fewer resources listed, until it is short enough to be approved."""
    while _too_long(made):
        fewer = made.resources[: len(made.resources) // 2]
        made = made.model_copy(update={"resources": fewer, "summary": _summary(plan, len(plan.changes) - len(fewer))})
    return made


def _too_long(plan: Plan) -> bool:
    try:
        plan.text()
    except PlanError:
        return len(plan.resources) > 1
    return False


def _cut(text: str) -> str:
    seen = visible(text) or "-"
    return seen if len(seen) <= _LONGEST else f"{seen[: _LONGEST - 1]}…"
