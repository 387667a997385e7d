"""`banksman feedback`: what a person thinks of what a goal did.

Who that is, Temporal says, as of every command: by the certificate or the token that it authenticated. Where it knows
nobody, as on the embedded environment, Slack and the console are where people are known.
"""

import asyncio
import secrets
from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.markup import escape
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.guard.opinion_facts import OpinionVerdict
from activities.queues import TaskQueue
from hitl.hidden import visible
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, fail, out, shown
from workflows.catalogue import find_goal
from workflows.opinions.contracts import MAX_WORDS, OPINION_WORKFLOW, GivenOpinion, KeptOpinion, opinions_on

_BY_COMMAND: Final = "cli/"
_PATIENCE: Final = timedelta(seconds=30)


def feedback(
    goal: Annotated[str, typer.Argument(metavar="GOAL", help="The goal's workflow id.")],
    words: Annotated[str, typer.Argument(metavar="[WORDS]", help="Why, in one line.", show_default=False)] = "",
    *,
    useful: Annotated[bool, typer.Option("--useful", help="What it did was useful.")] = False,
    wrong: Annotated[bool, typer.Option("--wrong", help="What it did, or wanted to do, was wrong.")] = False,
    run: Annotated[str | None, typer.Option(metavar="RUN_ID", help="Which run; the newest when left out.")] = None,
) -> None:
    """Say whether what a goal did was useful or wrong, as evidence for how far it is trusted; the last word counts."""
    if useful is wrong:
        fail("say either --useful or --wrong", Exit.USAGE)
    said = visible(" ".join(words.split()))
    if len(said) > MAX_WORDS:
        fail(f"write at most {MAX_WORDS} characters; these are {len(said)}", Exit.USAGE)
    asyncio.run(_say(goal, run, "useful" if useful else "wrong", said))


async def _say(goal: str, run: str | None, verdict: OpinionVerdict, words: str) -> None:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        kept = await _kept(client, goal, run, verdict, words)
    except RPCError as error:
        fail(f"Temporal does not answer: {error.message}; say it again, it counts once")
    finally:
        telemetry.shutdown()
    out.print(f"Noted: {escape(kept.person)} finds {escape(shown(visible(kept.goal)))} {kept.verdict}.")


async def _kept(client: Client, goal: str, run: str | None, verdict: OpinionVerdict, words: str) -> KeptOpinion:
    goal_run = await _run_of(client, goal, run)
    handle = await client.start_workflow(
        OPINION_WORKFLOW,
        GivenOpinion(goal=goal, goal_run=goal_run, verdict=verdict, words=words),
        # Who this is, the command does not know: whose opinion it is, the gateway finds out.
        id=f"{opinions_on(goal_run)}{_BY_COMMAND}{secrets.token_hex(8)}",
        task_queue=TaskQueue.GOALS,
        result_type=KeptOpinion,
    )
    try:
        return await asyncio.wait_for(handle.result(), _PATIENCE.total_seconds())
    except TimeoutError:
        fail("not confirmed yet: no gateway has kept it; it is kept when one runs, and `banksman status` tells of one")
    except WorkflowFailureError as error:
        fail(_why(error), Exit.DENIED)


async def _run_of(client: Client, goal: str, run: str | None) -> str:
    try:
        found = await client.get_workflow_handle(goal, run_id=run).describe()
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            fail(f"there is no goal {goal!r}, or it is too old to be kept")
        raise
    if find_goal(found.workflow_type) is None:
        fail(f"{goal!r} is no goal, but {found.workflow_type!r}")
    return found.run_id


def _why(error: WorkflowFailureError) -> str:
    found: BaseException | None = error
    while found is not None and not isinstance(found, ApplicationError):
        found = found.__cause__
    return f"not counted: {found.message}" if isinstance(found, ApplicationError) else "it was ended from outside"
