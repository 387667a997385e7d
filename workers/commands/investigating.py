"""`banksman investigate`: have a model look why something is as it is, and print what it found with its evidence."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.markup import escape

from hitl.hidden import visible
from workers.commands.exits import Exit, fail, out, shown
from workers.commands.goals import JsonFlag, ask_for
from workflows.agent.goals import INVESTIGATE, InvestigateInput, InvestigateResult


def investigate(  # noqa: PLR0913 - each is an option of the command
    question: Annotated[
        str | None,
        typer.Argument(
            metavar="WORDS", help='What is to be found out, with names as they are: "Why does acme/shop not build?"'
        ),
    ] = None,
    *,
    goal: Annotated[
        str | None,
        typer.Option("--goal", metavar="ID", help="The workflow id of a goal: why it ended so, or what it waits for."),
    ] = None,
    repository: Annotated[
        list[str] | None,
        typer.Option("--repository", metavar="OWNER/NAME", help="May be looked into besides those in WORDS."),
    ] = None,
    turns: Annotated[int, typer.Option("--turns", min=1, max=50, help="How often the model is asked at most.")] = 12,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Print what was found, or start it and end at once.")
    ] = True,
    workflow_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The workflow id; a digest of the words when left out.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a model find out why something is as it is. It changes nothing, and gives evidence for what it claims."""
    given = {"question": question, "goal": goal, "repositories": repository or (), "turns": turns}
    try:
        request = InvestigateInput.model_validate(given)
    except ValidationError as error:
        fail(_wrong(error), Exit.USAGE)
    raise typer.Exit(
        int(asyncio.run(ask_for(INVESTIGATE, request, workflow_id, wait=wait, as_json=as_json, tell=tell_found)))
    )


def _wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if not first["loc"]:
        return "say in WORDS what is to be found out, or name a goal with --goal"
    where = {"question": "WORDS", "goal": "--goal", "repositories": "--repository"}.get(str(first["loc"][0]), "")
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def tell_found(result: Mapping[str, Any]) -> None:
    """Print what was found: claims with their evidence, what is not known, and what people might do next."""
    for line in lines_of(InvestigateResult.model_validate(result)):
        out.print(escape(shown(line)), soft_wrap=True)


def lines_of(found: InvestigateResult) -> Iterator[str]:
    """The same as lines. Words of the model's and of strangers' hide nothing in them."""
    tools = {one.id: f"{one.tool} {one.asked}" for one in found.looked_at}
    for claim in found.claims:
        yield f"{'' if claim.proved else 'UNPROVED: '}{visible(claim.says)}"
        for one in claim.evidence:
            where = visible(tools.get(one.result, "no such result"))
            yield f'    {visible(one.result)} ({where}): "{visible(one.quote)}"'
    if found.unknown:
        yield f"Not known: {visible(found.unknown)}"
    for one in found.not_looked_at:
        yield f"Not looked at: {visible(one)}"
    for one in found.absent:
        yield f"Not here: {visible(one)}"
    yield from _next(found)


def _next(found: InvestigateResult) -> Iterator[str]:
    if found.suggested is None:
        return
    plan = found.suggested.plan
    yield f"It suggests a plan, which nothing runs: {visible(str(plan.get('title', '')))} ({found.suggested.effect})"
    acts = plan.get("act")
    for step in acts if isinstance(acts, list) else ():
        yield f"    {visible(str(step))}"
    for one in found.suggested.nobody_named:
        yield f"    Nobody named this, look twice: {visible(one.line())}"
