"""`banksman rollout report`: what the agent did in its phase so far, as the evidence for the next one."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from temporalio.service import RPCError

from activities.guard.audit_export import ExportError
from deploy.local.defaults import DEFAULT_POLICY, ENVIRONMENT
from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Environment
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, fail, out, shown
from workers.commands.folder import stack_folder
from workers.commands.policy_replay import since
from workers.rollout.book import NoBook, chains, glance, verified
from workers.rollout.ends import Ends, read_ends
from workers.rollout.evidence import Evidence, PhaseSeen
from workers.rollout.page import page
from workers.rollout.report import Report
from workers.rollout.told import MOST_OPINIONS, markdown
from workers.rollout.words import read_words

rollout = typer.Typer(help="Tell whether an environment is ready for its next phase.", no_args_is_help=True)


@rollout.callback()
def _group() -> None:
    """Tell whether an environment is ready for its next phase."""


@rollout.command("report")
def report(  # noqa: PLR0913, PLR0917 - each is an option
    environment: Annotated[str, typer.Option(help="An environment that the policy names.")] = ENVIRONMENT,
    begin: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="7d, 12h or 30m ago, or a day or time in UTC; since the phase began when left out.",
        ),
    ] = None,
    policy: Annotated[
        Path,
        typer.Option("--policy", metavar="FILE", help="The policy file.", show_default="the embedded environment's"),
    ] = DEFAULT_POLICY,
    where: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER|EXPORT",
            help="Audit files, what was collected of them, or an export; the environment's when left out.",
        ),
    ] = None,
    book_only: Annotated[
        bool, typer.Option("--book-only", help="Do not ask Temporal how goals ended: it is never ready then.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page for a browser as well.")] = None,
) -> None:
    """Tell what the agent did, was refused, needed and got wrong in its phase so far, and whether it is ready to go on.

    Nothing is changed by it: people raise a phase, in the policy file. It ends with 1 where the audit log is not whole.
    """
    settings = _environment(policy, environment)
    try:
        found = chains(where or stack_folder().audit)
        seen = PhaseSeen(environment, settings.phase)
        if begin is None:
            glance(found, seen.take)
        evidence = Evidence(environment=environment, begin=_since(begin) if begin else seen.begin())
        broken = verified(found, evidence.take)
    except (NoBook, ExportError, OSError) as error:
        fail(str(error))
    ends, words = (None, _no_words()) if book_only else asyncio.run(_asked(evidence))
    made = Report(
        environment=environment,
        made_at=datetime.now(UTC),
        phase=settings.phase,
        wanted=settings.roll_out,
        evidence=evidence,
        broken=tuple(broken),
        ends=ends,
        words=words,
    )
    _tell(made, as_json=as_json, html=html)


def _tell(made: Report, *, as_json: bool, html: Path | None) -> None:
    if html is not None:
        html.write_text(page(made), encoding="utf-8")
    if as_json:
        out.print_json(json.dumps(made.as_json()))
    else:
        out.print(shown(markdown(made)), markup=False, highlight=False, soft_wrap=True, end="")
    if made.broken:
        raise typer.Exit(int(Exit.FAILED))


async def _asked(evidence: Evidence) -> tuple[Ends, Mapping[tuple[str, str], str]]:
    """What Temporal says."""
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        ends = await read_ends(client, begin=evidence.begin, called_wrong=evidence.called_wrong())
        return ends, await read_words(client, evidence.newest_opinions(MOST_OPINIONS))
    except RPCError as error:
        fail(f"Temporal does not answer: {error.message}; `--book-only` tells what the audit log has")
    finally:
        telemetry.shutdown()


def _environment(policy: Path, environment: str) -> Environment:
    try:
        found = load_policy(policy)
    except PolicyError as error:
        fail(str(error), Exit.USAGE)
    if environment not in found.environments:
        _unknown(environment, found.source, sorted(found.environments))
    return found.environments[environment]


def _unknown(environment: str, source: str, known: list[str]) -> NoReturn:
    fail(f"{source} does not name the environment {environment!r}; it names {', '.join(known)}", Exit.USAGE)


def _since(text: str) -> datetime:
    try:
        return since(text, now=datetime.now(UTC))
    except ValueError:
        fail(f"{text!r} is no time; write 7d, 12h or 30m, or a day as in 2026-11-01", Exit.USAGE)


def _no_words() -> Mapping[tuple[str, str], str]:
    return {}
