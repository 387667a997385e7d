"""`banksman rehearse`: copy what is there by reading, run the goal where nothing leads out, and keep the list.

What is real is reached in one place: a goal on the running environment copies it, behind the guard, with credentials
that read. The rehearsal itself is a process that is given files, and a network in which there is nothing.
"""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.markup import escape
from rich.table import Table
from temporalio.client import WorkflowFailureError

from connectors.artifacts import ArtifactStore
from connectors.pulumi.files import read_file
from deploy.images.build import ImageBuildFailed
from deploy.local.container_engine.found import DockerUnavailable
from deploy.local.defaults import ENVIRONMENT
from deploy.local.options import passed_on
from deploy.local.rehearsal.contained import require_able
from deploy.local.rehearsal.images import hand_in
from deploy.local.rehearsal.order import POLICY, Found, Order
from deploy.local.rehearsal.policy import rehearsal_policy
from deploy.local.rehearsal.sealed import CannotSeal
from deploy.local.tools import CACHE, ToolUnavailableError
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect
from hitl.policy.file import PolicyError
from sandbox.errors import SandboxError
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.copying import Copied, Copying
from workers.commands.exits import Exit, err, fail, out, shown
from workers.commands.folder import rehearsal_file, running_stack, stack_folder
from workers.commands.goals import JsonFlag, complete_goal, known_goal
from workers.commands.inputs import parse_input
from workers.commands.processes import load_settings
from workers.settings import Settings, caller_environment
from workers.stacks import FileProblem, StackEnvironment
from workflows.catalogue import GOALS
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType

_SEALED: Final = "deploy.local.rehearsal.sealed"
_HIDE: Final = "--hide"
_LAST_LINES: Final = 12
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
    if not goal.rehearses:
        fail(
            f"{goal.name} cannot be rehearsed: it reaches what is not copied for a rehearsal. "
            "Those that can are: " + ", ".join(_rehearsed()),
            Exit.USAGE,
        )
    request = parse_input(goal, text)
    if goal.needs is not None:
        _require_able()
    order = Order(
        goal=goal.name,
        request=request.model_dump(mode="json", exclude={"rehearsal"}, exclude_unset=True),
        workflow_id=workflow_id or request.business_key(),
        patience=patience,
        needs=goal.needs,
    )
    with _folder() as folder:
        copied = asyncio.run(_prepare(folder, goal, request, order))
        err.print(f"Rehearsing where nothing leads out; this takes about {'a' if order.needs else 'half a'} minute.")
        found = asyncio.run(_rehearsed_in(folder))
    raise typer.Exit(int(_report(goal, request, order, found, copied, as_json=as_json)))


def _require_able() -> None:
    try:
        require_able()
    except CannotSeal as error:
        fail(str(error))


def _rehearsed() -> list[str]:
    return [one.name for one in GOALS if one.rehearses]


@contextlib.contextmanager
def _folder() -> Generator[Path]:
    """Of this rehearsal alone, with a path that is short enough for sockets; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="bmr-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _prepare(folder: Path, goal: GoalType, request: GoalInput, order: Order) -> Copied:
    """What goes in: copies, policy, order. What was copied comes back, in words."""
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        kept = str(stack_folder().artifacts) if running_stack() is not None else load_settings().artifacts
        copying = Copying(client=client, settings=settings, folder=folder, store=ArtifactStore(kept))
        copied = await copying.copy(goal, request)
    except WorkflowFailureError as error:
        fail(f"what is there cannot be copied, so nothing was rehearsed: {error.cause}")
    finally:
        telemetry.shutdown()
    policy, environment = _policy()
    try:
        text = rehearsal_policy(policy, environment=environment, called=ENVIRONMENT)
    except (PolicyError, ValueError, OSError) as error:
        fail(str(error), Exit.USAGE)
    (folder / POLICY).write_text(text, encoding="utf-8")
    if order.needs is not None:
        await _hand_in_images(folder, stacks=order.needs == "stacks")
    _with_providers(order, settings).write(folder)
    return copied


async def _hand_in_images(folder: Path, *, stacks: bool) -> None:
    settings = load_settings()
    chosen = settings.docker_host if "docker_host" in settings.model_fields_set else None
    try:
        await hand_in(folder, docker_host=chosen, stacks=stacks)
    except (DockerUnavailable, ImageBuildFailed, SandboxError, ToolUnavailableError, OSError) as error:
        fail(f"this goal runs other people's code, and the images for that cannot be had: {error}")


def _with_providers(order: Order, settings: Settings) -> Order:
    """The order with what the deployment's file says of Pulumi's providers, where this command finds the file."""
    file = stack_folder().stacks if running_stack() is not None else settings.stacks
    if order.needs != "stacks" or file is None or not file.exists():
        return order
    try:
        said = read_file(file, StackEnvironment)
    except FileProblem as error:
        fail(f"what the deployment says of stacks cannot be used: {error}", Exit.USAGE)
    # A placeholder stands for where a relay is: the rehearsal has its own.
    told = {name: value for name, value in said.environment.items() if "{" not in value}
    return order.model_copy(update={"packages": said.packages, "told": told})


def _policy() -> tuple[Path, str]:
    """The deployment's policy file, and what it calls this environment."""
    stack = running_stack()
    if stack is not None:
        return Path(stack.policy), stack.environment
    settings = load_settings()
    return settings.policy, settings.environment


async def _rehearsed_in(folder: Path) -> Found:
    """What came of it; it is ended with this command."""
    # Where sockets may lie that lead outside.
    hidden = [(_HIDE, str(one)) for one in (CACHE / "docker", CACHE / "docker-userns", stack_folder().root)]
    sealed = [sys.executable, "-m", _SEALED, *chain.from_iterable(hidden)]
    command = [*sealed, sys.executable, "-m", "workers", "rehearsal-room", str(folder)]
    log = folder / "log"
    # Neither our settings, nor a container engine's socket, nor a proxy's address.
    environment = {**passed_on(caller_environment()), "BANKSMAN_HOME": str(folder / "e"), "COLUMNS": "1000"}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        code = await process.wait()
    except asyncio.CancelledError:  # Ctrl-C
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        await process.wait()
        raise
    found = Found.read(folder)
    if found is None:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
        fail(f"the rehearsal's environment ended with {code}: " + " / ".join(lines))
    return found


def _report(  # noqa: PLR0913 - what was asked, and what came of it
    goal: GoalType, request: GoalInput, order: Order, found: Found, copied: Copied, *, as_json: bool
) -> Exit:
    if found.outcome != "completed":
        _fail(found, as_json=as_json)
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
    file = _keep(rehearsal)
    if as_json:
        out.print_json(json.dumps({"file": str(file), "rehearsal": rehearsal.model_dump(mode="json")}))
        return Exit.COMPLETED
    _print_effects(rehearsal.effects)
    for label, words in _facts(rehearsal, file).items():
        err.print(f"[dim]{label:<9}[/] {escape(shown(words))}", soft_wrap=True)
    err.print(f"  [dim]$[/] {escape(shown(_run_line(request, order, file)))}", soft_wrap=True)
    return Exit.COMPLETED


def _run_line(request: GoalInput, order: Order, file: Path) -> str:
    """The command that runs it for real."""
    given = json.dumps(order.request, separators=(",", ":"))
    line = ["banksman", "run", order.goal, "--input", given if len(given) <= _SHORT_INPUT else "@INPUT.json"]
    same_id = [] if order.workflow_id == request.business_key() else ["--id", order.workflow_id]
    return shlex.join([*line, *same_id, "--rehearsal", str(file)])


def _fail(found: Found, *, as_json: bool) -> NoReturn:
    if as_json:
        out.print_json(found.model_dump_json())
    else:
        _print_effects(found.effects)
    at = f" at {found.step!r}" if found.step else ""
    outcome = found.outcome.replace("_", " ")
    fail(f"the rehearsal ended as {outcome}{at}, and nothing outside was touched: {found.why}")


def _keep(rehearsal: Rehearsal) -> Path:
    file = rehearsal_file(rehearsal.digest)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(rehearsal.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return file


def _print_effects(effects: tuple[RehearsedEffect, ...]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("", "step", "touches", "takes", "costs at most"):
        table.add_column(head, overflow="fold")
    for number, one in enumerate(effects, start=1):
        took = "" if one.milliseconds is None else f"{one.milliseconds / 1000:.1f} s"
        cost = "" if one.cents is None else f"{one.cents / 100:.2f} USD"
        table.add_row(str(number), one.action, escape("\n".join(one.on)), took, cost)
    out.print(table if effects else "It has no effect outside.")


def _facts(rehearsal: Rehearsal, file: Path) -> Mapping[str, str]:
    cost = "no effect says that it costs anything"
    if rehearsal.cents is not None:
        cost = f"{rehearsal.cents / 100:.2f} US dollars at most"
    return {
        "copied": "; ".join(rehearsal.copied),
        "not": "; ".join(rehearsal.left) or "all of it was copied",
        "took": f"{rehearsal.milliseconds / 1000:.1f} s, approvals given at once",
        "cost": cost,
        "digest": rehearsal.digest,
        "kept in": str(file),
    }
