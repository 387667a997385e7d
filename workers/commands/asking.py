"""`banksman ask`: what is wanted, in words."""

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError

from workers.commands.exits import Exit, fail
from workers.commands.goals import JsonFlag, ask_for
from workflows.agent.goals import ASK_FOR, AskForInput


def ask(  # noqa: PLR0913 - each is an option of the command
    text: Annotated[
        str,
        typer.Argument(metavar="WORDS", help='What is wanted, with names as they are: "Read README.md of acme/shop."'),
    ],
    *,
    answer: Annotated[
        list[str] | None,
        typer.Option(
            "--answer",
            metavar="WORDS",
            help="What you answer to the question that the last run ended with; once for each question, in order.",
        ),
    ] = None,
    corrections: Annotated[
        int,
        typer.Option("--corrections", min=0, max=5, help="How often a plan with mistakes is given back to the model."),
    ] = 2,
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
    given = {"text": text, "answers": answer or (), "corrections": corrections}
    try:
        request = AskForInput.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "--answer" if first["loc"][0] == "answers" else "WORDS"
        fail(f"{where}: {first['msg'].removeprefix('Value error, ')}", Exit.USAGE)
    raise typer.Exit(int(asyncio.run(ask_for(ASK_FOR, request, workflow_id, wait=wait, as_json=as_json))))
