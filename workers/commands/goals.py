"""`banksman goals` and `banksman run`: what can be asked for, and asking for it."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from activities.queues import TaskQueue
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, err, fail, out
from workers.commands.folder import running_stack
from workers.commands.follow import Started, follow, report, start
from workflows.contracts import GoalInput
from workflows.converter import describe_problems
from workflows.registry import GOALS, GoalEntry, find_goal

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def goals(*, as_json: JsonFlag = False) -> None:
    """List the goals: what each does, its input, and how to start it."""
    if as_json:
        out.print_json(json.dumps([_as_json(goal) for goal in GOALS]))
        return
    for goal in GOALS:
        out.print(f"[bold]{goal.name}[/]  {goal.effect}\n  {escape(goal.description)}")
        out.print(_fields(goal))
        # On lines of their own and never wrapped, so that they can be copied.
        out.print(f"  [dim]$[/] banksman run {goal.name} --input '{escape(goal.example_json)}' --wait", soft_wrap=True)
        out.print(f"  [dim]$[/] {escape(goal.temporal_command())}", soft_wrap=True)


def _as_json(goal: GoalEntry) -> dict[str, object]:
    return {
        "name": goal.name,
        "task_queue": str(TaskQueue.GOALS),
        "input_schema": goal.input.model_json_schema(),
        "example": goal.example.model_dump(mode="json", exclude_unset=True),
    }


def _fields(goal: GoalEntry) -> Table:
    fields = Table(box=None, padding=(0, 2), show_header=False)
    for name, field in goal.input.model_fields.items():
        fields.add_row(f"[cyan]{name}[/]", "required" if field.is_required() else "optional", field.description or "")
    return fields


def complete_goal(incomplete: str) -> list[str]:
    """Goal names for tab completion."""
    return [goal.name for goal in GOALS if goal.name.lower().startswith(incomplete.lower())]


def run(
    name: Annotated[
        str,
        typer.Argument(metavar="GOAL", help="Its name, as `banksman goals` lists it.", autocompletion=complete_goal),
    ],
    text: Annotated[str, typer.Option("--input", metavar="JSON", help="The input as JSON, or @FILE that holds it.")],
    *,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Follow it to its end and exit with its outcome: 0 completed, 1 failed, 3 denied, 4 cancelled, "
            "6 not carried out whole.",
        ),
    ] = False,
    workflow_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The workflow id; the goal's business key when left out.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start a goal; asking twice for the same one finds the one that runs."""
    goal = find_goal(name)
    if goal is None:
        known = ", ".join(goal.name for goal in GOALS)
        fail(f"there is no goal {name!r}; there are: {known}", Exit.USAGE)
    code = asyncio.run(_run(goal, parse_input(goal, text), workflow_id, wait=wait, as_json=as_json))
    raise typer.Exit(int(code))


def parse_input(goal: GoalEntry, text: str) -> GoalInput:
    """The goal's input from JSON or from a file; ends with one line that names the field where it is wrong."""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"the input file {text[1:]!r} cannot be read: {error}", Exit.USAGE)
    try:
        return goal.input.model_validate_json(text)
    except ValidationError as error:
        fail(describe_problems(goal.input, error), Exit.USAGE)


async def _run(goal: GoalEntry, request: GoalInput, workflow_id: str | None, *, wait: bool, as_json: bool) -> Exit:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        started = await start(client, goal, request, workflow_id=workflow_id, ui=settings.temporal_ui)
        if not as_json:
            _announce(started)
        if not wait:
            if as_json:
                out.print_json(json.dumps(started.as_json()))
            return Exit.COMPLETED
        ended = await follow(started, quiet=as_json)
        return report(started, ended, stack=running_stack(), as_json=as_json)
    finally:
        telemetry.shutdown()


def _announce(started: Started) -> None:
    verb = "Already running" if started.existing else "Started"
    err.print(f"{verb} [bold]{escape(started.workflow_id)}[/]\n  {started.link}", soft_wrap=True)
