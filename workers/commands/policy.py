"""`banksman policy`: is a file right, and what would it decide."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from deploy.local.defaults import DEFAULT_POLICY, ENVIRONMENT
from hitl.policy.explain import explain
from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Policy
from hitl.protocol import PolicyContext
from workers.commands.exits import Exit, fail, out, shown

policy = typer.Typer(help="Check a policy file, and ask it what it would decide.", no_args_is_help=True)

PolicyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The policy file.", show_default="the embedded environment's")
]


@policy.command()
def check(path: PolicyFile = DEFAULT_POLICY) -> None:
    """Say what is wrong with a policy file, line by line, or that nothing is."""
    found = _load(path)
    for name, environment in found.environments.items():
        counts = f"{_counted(len(environment.rules), 'rule')}, {_counted(len(environment.approvals), 'approval rule')}"
        out.print(f"[green]✓[/] {name}: {environment.phase}, {counts}")


def complete_action(incomplete: str) -> list[str]:
    """Names of steps for tab completion."""
    from activities.catalogue import steps  # noqa: PLC0415 - `check` asks for no step

    return [name for name in steps() if name.startswith(incomplete)]


@policy.command("explain")
def explain_action(  # noqa: PLR0913, PLR0917 - each is an option
    action: Annotated[
        str,
        typer.Argument(metavar="ACTION", help="A step's name, as in github.read_file.", autocompletion=complete_action),
    ],
    repository: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="The repository that the step touches.")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(metavar="NAME", help="Why a command in the sandbox needs a network.")
    ] = None,
    account: Annotated[str | None, typer.Option(metavar="NAME", help="The provider's account or project.")] = None,
    resource: Annotated[
        str | None, typer.Option(metavar="NAME", help="What it touches there: a branch, a stack, a database.")
    ] = None,
    cost: Annotated[int | None, typer.Option(metavar="DOLLARS", min=0, help="What it costs in a month.")] = None,
    environment: Annotated[str, typer.Option(help="An environment that the file names.")] = ENVIRONMENT,
    path: Annotated[
        Path,
        typer.Option("--policy", metavar="FILE", help="The policy file.", show_default="the embedded environment's"),
    ] = DEFAULT_POLICY,
) -> None:
    """Say whether a step would be allowed, which rule decides and why, and who would have to approve it."""
    from activities.catalogue import meant, steps  # noqa: PLC0415 - `check` asks for no step

    step = steps().get(action)
    if step is None:
        close = meant(action)
        guess = f"did you mean {close!r}? There are" if close else "there are"
        fail(f"no step is called {action!r}; {guess}: {', '.join(steps())}", Exit.USAGE)
    try:
        context = PolicyContext.of_repository(repository) if repository else PolicyContext()
    except ValueError as error:
        fail(str(error), Exit.USAGE)
    context = context.model_copy(update={"purpose": purpose, "account": account, "resource": resource, "cost": cost})
    out.print(
        explain(_load(path), environment, action=action, effect=step.effect, context=context),
        markup=False,
        soft_wrap=True,
    )


@policy.command("replay")
def replay_decisions(
    path: Annotated[Path, typer.Option("--policy", metavar="FILE", help="The policy file to judge by.")],
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="From then on: 7d, 12h or 30m ago, or a day or time in UTC.")
    ] = None,
    where: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FOLDER|EXPORT",
            help="Audit files, or an export of them; the environment's when left out.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Go over past decisions, and tell which goals another policy would have sent another way, and at which step."""
    from hitl.policy.replay import replay  # noqa: PLC0415 - `check` asks for nothing of it
    from workers.commands import policy_replay  # noqa: PLC0415 - likewise
    from workers.commands.folder import stack_folder  # noqa: PLC0415 - likewise

    found = _load(path)
    try:
        begin = policy_replay.since(since, now=datetime.now(UTC)) if since else None
    except ValueError:
        fail(f"{since!r} is no time; write 7d, 12h or 30m, or a day as in 2026-11-01", Exit.USAGE)
    events, whole = policy_replay.records(where or stack_folder().audit)
    done = replay(found, policy_replay.decisions(events, begin=begin))
    if not whole:
        typer.echo("the audit log is not whole, so this may not be all; look with `banksman audit verify`", err=True)
    if as_json:
        out.print_json(policy_replay.as_json(done))
        return
    for line in policy_replay.lines(done, source=found.source):
        out.print(shown(line), markup=False, highlight=False, soft_wrap=True)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _load(path: Path) -> Policy:
    try:
        return load_policy(path)
    except PolicyError as error:
        fail(str(error), Exit.USAGE)
