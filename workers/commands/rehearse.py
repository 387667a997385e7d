"""`banksman rehearse`: run a goal, or a plan of goals, where nothing leads out, and keep the list of what it did."""

import asyncio
import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from deploy.local.rehearsal.contained import require_able
from deploy.local.rehearsal.order import Found, Order, OrderedGoal
from deploy.local.rehearsal.sealed import CannotSeal
from hitl.approval.rehearsal import Rehearsal
from workers.commands.copying import Copied
from workers.commands.exits import Exit, err, fail, out, shown
from workers.commands.goals import JsonFlag, complete_goal, known_goal
from workers.commands.inputs import parse_input
from workers.commands.rehearsal_parts import (
    facts_of,
    fail_with,
    keep,
    prepare,
    print_effects,
    rehearsal_folder,
    rehearsed_in,
)
from workers.commands.rehearse_plan import PlanRehearsal, planned
from workflows.agent.goals import AskForInput, RunPlanInput
from workflows.catalogue import GOALS
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType

_SHORT_INPUT: Final = 2000


def rehearse(
    name: Annotated[
        str,
        typer.Argument(metavar="GOAL", help="Its name, as `banksman goals` lists it.", autocompletion=complete_goal),
    ],
    text: Annotated[
        str | None, typer.Option("--input", metavar="JSON", help="The input as JSON, or @FILE that holds it.")
    ] = None,
    *,
    workflow_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ID",
            help="The workflow id that the real run will have: names are made from it. The business key when left out.",
        ),
    ] = None,
    patience: Annotated[
        float, typer.Option("--within", metavar="SECONDS", min=1, help="How long the goal may take.")
    ] = 600,
    as_json: JsonFlag = False,
) -> None:
    """Run a goal on twins of what is really there, and list all that it would do."""
    goal = known_goal(name)
    if issubclass(goal.input, AskForInput | RunPlanInput):
        raise typer.Exit(int(_rehearse_plan(parse_input(goal, text), workflow_id, patience, as_json=as_json)))
    if not goal.rehearses:
        fail(
            f"{goal.name} cannot be rehearsed: it reaches what is not copied for a rehearsal. "
            "Those that can are: " + ", ".join(_rehearsed()),
            Exit.USAGE,
        )
    request = parse_input(goal, text)
    if goal.needs is not None:
        _require_able()
    ordered = OrderedGoal(
        goal=goal.name,
        request=request.model_dump(mode="json", exclude={"rehearsal"}, exclude_unset=True),
        workflow_id=workflow_id or request.business_key(),
    )
    order = Order(goals=(ordered,), patience=patience, needs=goal.needs)
    with rehearsal_folder() as folder:
        copied = asyncio.run(prepare(folder, ((goal, request),), order))
        err.print(f"Rehearsing where nothing leads out; this takes about {'a' if order.needs else 'half a'} minute.")
        (found,) = asyncio.run(rehearsed_in(folder))
    raise typer.Exit(int(_report(goal, request, ordered, found, copied, as_json=as_json)))


def _rehearse_plan(request: GoalInput, workflow_id: str | None, patience: float, *, as_json: bool) -> Exit:
    """What was asked in words is planned first, for real: a plan is rehearsed, and not what a model may answer."""
    if isinstance(request, AskForInput):
        request = asyncio.run(planned(request, None, as_json=as_json))
    if not isinstance(request, RunPlanInput):
        raise TypeError(f"{type(request).__name__} is neither a plan nor words")
    return PlanRehearsal(request=request, workflow_id=workflow_id, patience=patience, as_json=as_json).run()


def _require_able() -> None:
    try:
        require_able()
    except CannotSeal as error:
        fail(str(error))


def _rehearsed() -> list[str]:
    return [one.name for one in GOALS if one.rehearses or issubclass(one.input, AskForInput | RunPlanInput)]


def _report(  # noqa: PLR0913 - what was asked, and what came of it
    goal: GoalType, request: GoalInput, ordered: OrderedGoal, found: Found, copied: Copied, *, as_json: bool
) -> Exit:
    if found.outcome != "completed":
        fail_with(found, found.effects, what="the rehearsal", as_json=as_json)
    try:
        rehearsal = Rehearsal.sealed(
            goal=goal.name,
            of=request.digest(),
            made_at=datetime.now(UTC),
            copied=tuple(copied.told),
            left=tuple(copied.left),
            effects=found.effects,
            milliseconds=found.milliseconds,
        )
    except ValueError as error:
        fail(f"what {goal.name} did cannot be listed: {error}")
    file = keep(rehearsal)
    if as_json:
        out.print_json(json.dumps({"file": str(file), "rehearsal": rehearsal.model_dump(mode="json")}))
        return Exit.COMPLETED
    print_effects(rehearsal.effects)
    for label, words in facts_of(rehearsal, file).items():
        err.print(f"[dim]{label:<9}[/] {escape(shown(words))}", soft_wrap=True)
    err.print(f"  [dim]$[/] {escape(shown(_run_line(request, ordered, file)))}", soft_wrap=True)
    return Exit.COMPLETED


def _run_line(request: GoalInput, order: OrderedGoal, file: Path) -> str:
    """The command that runs it for real."""
    given = json.dumps(order.request, separators=(",", ":"))
    line = ["banksman", "run", order.goal, "--input", given if len(given) <= _SHORT_INPUT else "@INPUT.json"]
    same_id = [] if order.workflow_id == request.business_key() else ["--id", order.workflow_id]
    return shlex.join([*line, *same_id, "--rehearsal", str(file)])
