"""`banksman ask`: what is wanted, in words."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, fail, out
from workers.commands.folder import running_stack
from workers.commands.follow import follow, report, start
from workers.commands.goals import JsonFlag, ask_for
from workers.commands.waiting import Waits
from workflows.agent.goals import ASK_FOR, AskForInput

_PATIENCE: Final = 600
"""Seconds that each goal of a rehearsed plan may take."""

Answers = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        metavar="WORDS",
        help="What you answer to the question that the last run ended with; once for each question, in order.",
    ),
]


def ask(  # noqa: PLR0913 - each is an option of the command
    text: Annotated[
        str,
        typer.Argument(metavar="WORDS", help='What is wanted, with names as they are: "Read README.md of acme/shop."'),
    ],
    *,
    answer: Answers = None,
    corrections: Annotated[
        int,
        typer.Option("--corrections", min=0, max=5, help="How often a plan with mistakes is given back to the model."),
    ] = 2,
    plan_only: Annotated[
        bool,
        typer.Option(
            "--plan-only",
            help="Print the plan and begin nothing of it: read it, edit it, and run it by `banksman plan run FILE`.",
        ),
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse",
            help="Have it planned, run the plan on twins of what is really there, and list all that it would do.",
        ),
    ] = False,
    lists: Annotated[
        Path | None,
        typer.Option(
            "--lists", metavar="FILE", help="With --plan-only: write the closed lists that it was checked by."
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Follow it to its end and exit with its outcome: 0 completed, 1 failed, 3 denied, 4 cancelled, "
            "6 not carried out whole, asked back, or refused by the model.",
        ),
    ] = False,
    workflow_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The workflow id; a digest of the words when left out.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a model plan what you want; it is checked, people approve what writes, and exactly that is done."""
    if lists is not None and not plan_only:
        fail("--lists goes with --plan-only", Exit.USAGE)
    if rehearse and (plan_only or wait):
        fail("--rehearse goes with neither --plan-only nor --wait: nothing of the plan is begun", Exit.USAGE)
    request = _request(text=text, answers=answer or (), corrections=corrections, plan_only=plan_only)
    if plan_only:
        raise typer.Exit(int(asyncio.run(_plan(request, workflow_id, lists, as_json=as_json))))
    if rehearse:
        raise typer.Exit(int(_rehearse(request, workflow_id, as_json=as_json)))
    raise typer.Exit(int(asyncio.run(ask_for(ASK_FOR, request, workflow_id, wait=wait, as_json=as_json))))


def _request(**given: object) -> AskForInput:
    try:
        return AskForInput.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "--answer" if first["loc"][0] == "answers" else "WORDS"
        fail(f"{where}: {first['msg'].removeprefix('Value error, ')}", Exit.USAGE)


def _rehearse(request: AskForInput, workflow_id: str | None, *, as_json: bool) -> Exit:
    from workers.commands.rehearse_plan import (  # noqa: PLC0415 - what asks alone rehearses nothing
        PlanRehearsal,
        planned,
    )

    plan = asyncio.run(planned(request, None, as_json=as_json))
    return PlanRehearsal(request=plan, workflow_id=workflow_id, patience=_PATIENCE, as_json=as_json).run()


async def _plan(request: AskForInput, workflow_id: str | None, lists: Path | None, *, as_json: bool) -> Exit:
    """Have it planned, and print the plan alone, so that it can be written into a file."""
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        started = await start(client, ASK_FOR, request, workflow_id=workflow_id, settings=settings)
        ended = await follow(started, Waits(client, settings, started.workflow_id), quiet=as_json)
        found = ended.result or {}
        if as_json or found.get("plan") is None:
            return report(started, ended, stack=running_stack(), as_json=as_json)
        out.print_json(json.dumps(found["plan"]))
        if lists is not None:
            _write(lists, found.get("lists") or {})
        return ended.exit
    finally:
        telemetry.shutdown()


def _write(path: Path, lists: object) -> None:
    try:
        path.write_text(f"{json.dumps(lists, indent=1)}\n", encoding="utf-8")
    except OSError as error:
        fail(f"{str(path)!r} cannot be written ({error.strerror})", Exit.USAGE)
