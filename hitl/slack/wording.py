"""What a plan is about, in the words of people: from the plan's own bytes, for titles, fields and questions.

A title is short, so a long name loses its middle there and never its end. What is cut stands whole elsewhere.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from connectors.pulumi.approval import DESTROY_ACTION, UP_ACTION
from hitl.approval.plan import Change, Cost, Resource, Risk
from hitl.approval.sequence import AnyPlan, SequencePlan
from hitl.hidden import unhidden, visible

STACK_ACTIONS: Final = frozenset({UP_ACTION, DESTROY_ACTION})
_MERGE: Final = "github.merge_pull_request"
_PLAN: Final = "agent.run_plan"
_ON_STACKS: Final = "pulumi."
_WORST_FIRST: Final = (Change.REPLACE, Change.DELETE, Change.UPDATE, Change.CREATE)


def does(plan: AnyPlan) -> str:
    """What it does, without to what: `Delete branch`."""
    if isinstance(plan, SequencePlan):
        return f"Carry out {len(plan.steps)} {'step' if len(plan.steps) == 1 else 'steps'} in order,"
    return plan.action.partition(".")[2].replace("_", " ").capitalize()


def subject(plan: AnyPlan) -> str:
    """To what: by the parameters, which are all that the step reads, and only else by the first resource."""
    if isinstance(plan, SequencePlan):
        return f"from {plan.steps[0].action} to {plan.steps[-1].action}"
    if plan.action == _PLAN and isinstance(goals := plan.parameters.get("resource"), str):
        return visible(goals.replace(",", ", "))
    branch, project, stack = (plan.parameters.get(name) for name in ("branch", "project", "stack"))
    if plan.action.startswith(_ON_STACKS) and isinstance(project, str) and isinstance(stack, str):
        return visible(f"{project}/{stack}")
    number = plan.parameters.get("number")
    if plan.action == _MERGE and isinstance(number, int) and isinstance(branch, str):
        return visible(f"#{number} into {branch}")
    return visible(branch) if isinstance(branch, str) else unhidden(plan.resources[0].name)


def place(plan: AnyPlan) -> str:
    """The repository; empty where the plan names none, or its steps name several."""
    if isinstance(plan, SequencePlan):
        places = {place(step) for step in plan.steps}
        return places.pop() if len(places) == 1 else ""
    repository = plan.parameters.get("repository")
    return visible(repository) if isinstance(repository, str) else ""


def question(plan: AnyPlan, most: int) -> str:
    """`Delete branch old of acme/shop?`, cut in the middle of the name where it is too long."""
    return f"{said(plan, most - 1)}?"


def said(plan: AnyPlan, most: int) -> str:
    """The same as a statement."""
    before, after = f"{does(plan)} ", f" of {place(plan)}" if place(plan) else ""
    room = max(most - len(before) - len(after), 20)
    return middle(f"{before}{middle(subject(plan), room)}{after}", most)


def middle(text: str, most: int) -> str:
    """The text without its middle, where it is too long: both ends tell names apart."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def counted(resources: Sequence[Resource]) -> str:
    """`It names 4 resources: 1 to replace, 3 to delete`: the worst first."""
    count, found = len(resources), Counter(one.change for one in resources)
    kinds = ", ".join(f"{found[kind]:,} to {kind.value}" for kind in _WORST_FIRST if found[kind])
    return f"It names {count:,} {'resource' if count == 1 else 'resources'}: {kinds}."


def worst_first(resources: Sequence[Resource]) -> list[str]:
    """One line for each change."""
    ordered = sorted(resources, key=lambda one: _WORST_FIRST.index(one.change))
    return [f"{one.change.value} {unhidden(one.kind)} {unhidden(one.name)}" for one in ordered]


def risk(plan: AnyPlan) -> str:
    """How bad a mistake would be, in `mrkdwn`."""
    return f"*{plan.risk.value}*" if plan.risk is Risk.HIGH else plan.risk.value


def costs(plan: AnyPlan) -> str:
    """What all of it costs, where steps say so."""
    if isinstance(plan, SequencePlan):
        return " and ".join(map(cost, plan.costs)) or cost(None)
    return cost(plan.cost)


def cost(known: Cost | None) -> str:
    """In US dollars."""
    if known is None:
        return "none stated"
    per = {"once": "once", "hour": "an hour", "month": "a month"}[known.per]
    return f"${known.usd_cents / 100:,.2f} {per}"
