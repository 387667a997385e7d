"""`banksman goals` and `banksman run`: what can be asked for, and asking for it."""

import asyncio
import difflib
import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from activities.queues import TaskQueue
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, err, fail, out, shown, wrapped
from workers.commands.folder import rehearsal_file, running_stack
from workers.commands.follow import Started, Tell, follow, goes_on, report, start
from workers.commands.inputs import after_rehearsal, fields_of, parse_input, run_line
from workers.commands.waiting import Waits, sure_to_wait
from workflows.catalogue import GOALS, find_goal
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def complete_goal(incomplete: str) -> list[str]:
    """Goal names for tab completion."""
    return [goal.name for goal in GOALS if goal.name.lower().startswith(incomplete.lower())]


def goals(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="GOAL", help="One of them: its fields, and how to start it.", autocompletion=complete_goal
        ),
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List the goals; of one, tell what it takes and how to start it."""
    chosen = GOALS if name is None else (known_goal(name),)
    if as_json:
        out.print_json(json.dumps([_as_json(goal) for goal in chosen]))
    elif name is None:
        _print_list()
    else:
        _print_whole(chosen[0])


def known_goal(name: str) -> GoalType:
    """The goal of that name; ends with those that there are."""
    goal = find_goal(name)
    if goal is None:
        known = [one.name for one in GOALS]
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {close[0]!r}? There are" if close else "there are"
        fail(f"there is no goal {name!r}; {meant}: {', '.join(known)}", Exit.USAGE)
    return goal


def _print_list() -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for goal in GOALS:
        table.add_row(goal.name, escape(goal.description))
    out.print(table)
    err.print("[dim]`banksman goals GOAL` tells what one takes, and how to start it.[/]")


def _print_whole(goal: GoalType) -> None:
    out.print(f"[bold]{goal.name}[/]  {goal.effect}")
    out.print(escape(wrapped(goal.description, indent=2)), soft_wrap=True)
    out.print(fields_of(goal))
    settings = client_settings()
    known = settings.model_fields_set  # what neither is set nor taken from a running stack is a guess
    line = goal.temporal_command(
        address=settings.temporal_address if "temporal_address" in known else None,
        namespace=settings.temporal_namespace if "temporal_namespace" in known else None,
    )
    # On lines of their own and never wrapped, so that they can be copied.
    out.print(f"  [dim]$[/] {escape(run_line(goal))}", soft_wrap=True)
    out.print(f"  [dim]$[/] {escape(line)}", soft_wrap=True)


def _as_json(goal: GoalType) -> dict[str, object]:
    return {
        "name": goal.name,
        "task_queue": str(TaskQueue.GOALS),
        "input_schema": goal.input.model_json_schema(),
        "example": goal.example.model_dump(mode="json", exclude_unset=True),
    }


def run(  # noqa: PLR0913 - each is an option of the command
    name: Annotated[
        str,
        typer.Argument(metavar="GOAL", help="Its name, as `banksman goals` lists it.", autocompletion=complete_goal),
    ],
    text: Annotated[
        str | None, typer.Option("--input", metavar="JSON", help="The input as JSON, or @FILE that holds it.")
    ] = None,
    *,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Follow it to its end and exit with its outcome: 0 completed, 1 failed, 3 denied, 4 cancelled, "
            "6 not carried out whole.",
        ),
    ] = False,
    rehearsal: Annotated[
        str | None,
        typer.Option(
            "--rehearsal",
            metavar="FILE",
            help="The document of its rehearsal, or the digest of one that was made here: it halts before anything "
            "that is not on the list.",
        ),
    ] = None,
    workflow_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The workflow id; the goal's business key when left out.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Start a goal; asking twice for the same one finds the one that runs."""
    goal = known_goal(name)
    request = parse_input(goal, text)
    if rehearsal is not None:
        request = after_rehearsal(goal, request, rehearsal_file(rehearsal))
    code = asyncio.run(ask_for(goal, request, workflow_id, wait=wait, as_json=as_json))
    raise typer.Exit(int(code))


async def ask_for(  # noqa: PLR0913 - what commands ask for goals by
    goal: GoalType,
    request: GoalInput,
    workflow_id: str | None,
    *,
    wait: bool,
    as_json: bool,
    tell: Tell | None = None,
) -> Exit:
    """Start a goal, and follow it to its end where that is wanted; how the command ends.

    Args:
        goal: Which.
        request: Its input.
        workflow_id: The goal's business key when None.
        wait: Whether it is followed.
        as_json: For scripts.
        tell: Prints the result of one that completed, where that is not JSON.
    """
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        started = await start(client, goal, request, workflow_id=workflow_id, settings=settings)
        if not as_json:
            _announce(started)
        if reason := sure_to_wait(goal, running_stack()):
            err.print(f"[yellow]waits:[/] {escape(shown(reason))}", soft_wrap=True)
        if not wait:
            if as_json:
                out.print_json(json.dumps(started.as_json()))
            return Exit.COMPLETED
        try:
            ended = await follow(started, Waits(client, settings, started.workflow_id), quiet=as_json)
        except asyncio.CancelledError:  # Ctrl-C
            goes_on(started, settings)
            raise
        return report(started, ended, stack=running_stack(), as_json=as_json, tell=tell)
    finally:
        telemetry.shutdown()


def _announce(started: Started) -> None:
    verb = "Already running" if started.existing else "Started"
    err.print(f"{verb} [bold]{escape(shown(started.workflow_id))}[/]\n  {started.link}", soft_wrap=True)
