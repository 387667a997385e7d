"""`banksman policy`: is a file right, and what would it decide."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.local.defaults import DEFAULT_POLICY, ENVIRONMENT
from hitl.policy.explain import explain
from hitl.policy.file import PolicyError, load_policy
from hitl.policy.rules import Policy
from hitl.protocol import PolicyContext
from workers.commands.exits import Exit, fail, out

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


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _load(path: Path) -> Policy:
    try:
        return load_policy(path)
    except PolicyError as error:
        fail(str(error), Exit.USAGE)
