"""What a rehearsal is made of, for a goal and for a plan of goals: what goes in, the sealed room, and what comes out.

What is real is reached in one place: goals on the running environment copy it, behind the guard, with credentials
that read. The rehearsal itself is a process that is given files, and a network in which there is nothing.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, NoReturn

from rich.markup import escape
from rich.table import Table
from temporalio.client import WorkflowFailureError

from connectors.artifacts import ArtifactStore
from connectors.pulumi.files import read_file
from deploy.images.build import ImageBuildFailed
from deploy.local.container_engine.found import DockerUnavailable
from deploy.local.defaults import ENVIRONMENT
from deploy.local.options import passed_on
from deploy.local.rehearsal.images import hand_in
from deploy.local.rehearsal.order import POLICY, Found, Order, read_found
from deploy.local.rehearsal.policy import rehearsal_policy
from deploy.local.tools import CACHE, ToolUnavailableError
from hitl.approval.rehearsal import Rehearsal, RehearsedEffect
from hitl.policy.file import PolicyError
from sandbox.errors import SandboxError
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.copying import Copied, Copying
from workers.commands.exits import Exit, fail, out
from workers.commands.folder import rehearsal_file, running_stack, stack_folder
from workers.commands.processes import load_settings
from workers.settings import Settings, caller_environment
from workers.stacks import FileProblem, StackEnvironment
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType

_SEALED: Final = "deploy.local.rehearsal.sealed"
_HIDE: Final = "--hide"
_LAST_LINES: Final = 12


@contextlib.contextmanager
def rehearsal_folder() -> Generator[Path]:
    """Of this rehearsal alone, with a path that is short enough for sockets; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="bmr-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def prepare(folder: Path, wanted: Sequence[tuple[GoalType, GoalInput]], order: Order) -> Copied:
    """What goes in: copies of what these goals reach, policy, order. What was copied comes back, in words."""
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        kept = str(stack_folder().artifacts) if running_stack() is not None else load_settings().artifacts
        copying = Copying(client=client, settings=settings, folder=folder, store=ArtifactStore(kept))
        copied = await copying.copy(wanted)
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


async def rehearsed_in(folder: Path) -> tuple[Found, ...]:
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
    found = read_found(folder)
    if not found:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
        fail(f"the rehearsal's environment ended with {code}: " + " / ".join(lines))
    return found


def fail_with(found: Found, shown_effects: tuple[RehearsedEffect, ...], *, what: str, as_json: bool) -> NoReturn:
    """Tell of a rehearsal that did not complete: what was done until then, at which step it ended, and why.

    Args:
        found: How the goal ended that did not complete.
        shown_effects: Everything that was done until then.
        what: Of which the rehearsal was.
        as_json: For scripts.
    """
    if as_json:
        out.print_json(found.model_copy(update={"effects": shown_effects}).model_dump_json())
    else:
        print_effects(shown_effects)
    at = f" at {found.step!r}" if found.step else ""
    outcome = found.outcome.replace("_", " ")
    fail(f"{what} ended as {outcome}{at}, and nothing outside was touched: {found.why}")


def keep(rehearsal: Rehearsal) -> Path:
    """The document among those that were made here."""
    file = rehearsal_file(rehearsal.digest)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(rehearsal.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return file


def print_effects(effects: tuple[RehearsedEffect, ...]) -> None:
    """A line for each."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("", "step", "touches", "takes", "costs at most"):
        table.add_column(head, overflow="fold")
    for number, one in enumerate(effects, start=1):
        took = "" if one.milliseconds is None else f"{one.milliseconds / 1000:.1f} s"
        cost = "" if one.cents is None else f"{one.cents / 100:.2f} USD"
        table.add_row(str(number), one.action, escape("\n".join(one.on)), took, cost)
    out.print(table if effects else "It has no effect outside.")


def facts_of(rehearsal: Rehearsal, file: Path) -> Mapping[str, str]:
    """What is said of the whole, by labels."""
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
