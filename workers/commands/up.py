"""`banksman up`: the embedded environment on this machine."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Final

import typer

from deploy.local.defaults import DEFAULT_POLICY
from deploy.local.options import Wanted
from deploy.local.processes.control import Ask, Reply, ask
from deploy.local.state import StackFolder
from deploy.local.telemetry.servers import Programs
from workers.commands.board import Board
from workers.commands.exits import Exit, err, fail, out
from workers.commands.folder import stack_folder
from workers.commands.status import end_leftovers, print_stack
from workers.settings import caller_environment

_START_PATIENCE: Final = 300.0
_POLL: Final = 0.2
_REPOSITORY: Final = re.compile(r"(?!\.)[A-Za-z0-9._-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")

RepositoryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        metavar="OWNER/NAME=PATH",
        help="Put a local git repository behind the GitHub twin; may be said several times.",
    ),
]


def up(  # noqa: PLR0913 - each is an option of the command
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave it running in the background.")] = False,
    repository: RepositoryOption = None,
    policy: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The policy file that the workers read.", show_default="deploy/local/policy.yaml"
        ),
    ] = DEFAULT_POLICY,
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The file of language models; without it, their twin is asked, which is scripted."
        ),
    ] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt payloads, as outside development, and start the codec server.")
    ] = False,
    traces: Annotated[bool, typer.Option(help="Send traces to the environment's trace store.")] = True,
    observability: Annotated[
        bool,
        typer.Option(
            "--observability",
            help="Start a collector, Prometheus and a log store, too: from PATH, else built with Go, which takes "
            "minutes the first time.",
        ),
    ] = False,
    sandbox: Annotated[
        bool,
        typer.Option(
            help="Find or start a container engine for the sandbox; root on Debian also installs one. "
            "The first time takes minutes, which nothing else waits for."
        ),
    ] = True,
) -> None:
    """Start the embedded environment: Temporal, OpenBao, twins, workers, each a process."""
    folder = stack_folder()
    wanted = Wanted(
        repositories=parse_repositories(repository or []),
        policy=_policy(policy),
        encrypt=encrypt,
        traces=traces,
        sandbox=sandbox,
        servers=_servers() if observability else None,
        models=_models(models) if models is not None else None,
    )
    running = asyncio.run(ask(folder.socket, Ask(op="status")))
    if running is not None:
        _already(folder, running)
        return
    end_leftovers(folder)
    if detach:
        _start_detached(folder)
    else:
        run_here: Callable[[StackFolder, Wanted], None] = resolve_name("workers.commands.supervise:run_here")
        run_here(folder, wanted)


def _servers() -> Programs:
    find: Callable[[], Programs] = resolve_name("workers.commands.servers:find_servers")
    return find()


def parse_repositories(given: list[str]) -> dict[str, Path]:
    """`OWNER/NAME=PATH` pairs; this project's own repository as `acme/shop` when none is given."""
    if not given:
        return {"acme/shop": Path(__file__).parents[2]}
    found: dict[str, Path] = {}
    for pair in given:
        name, equals, path = pair.partition("=")
        if not equals or not _REPOSITORY.fullmatch(name):
            fail(f"--repository {pair!r} is not OWNER/NAME=PATH; write for example acme/shop=./shop", Exit.USAGE)
        if not Path(path).expanduser().is_dir():
            fail(f"--repository {pair!r}: there is no folder {path!r}", Exit.USAGE)
        found[name] = Path(path).expanduser().absolute()
    return found


def _policy(path: Path) -> Path:
    if not path.is_file():
        fail(f"there is no policy file {str(path)!r}; deploy/local/policy.yaml is one to start from", Exit.USAGE)
    return path.absolute()


def _models(path: Path) -> Path:
    load: Callable[[Path], object] = resolve_name("connectors.models.file:load_models")
    try:
        load(path)
    except resolve_name("connectors.models.file:ModelsError") as error:
        fail(f"the file of language models cannot be used:\n{error}", Exit.USAGE)
    return path.absolute()


def _already(folder: StackFolder, reply: Reply) -> None:
    out.print(
        "The environment is already running here." if reply.ready else "The environment is already starting here."
    )
    print_stack(folder.read(), reply)


def _start_detached(folder: StackFolder) -> None:
    """Start a supervisor of its own session, and show its progress until it is ready."""
    folder.make()
    log = folder.logs / "supervisor.log"
    arguments = [sys.executable, "-m", "workers", *sys.argv[1:]]
    arguments = [argument for argument in arguments if argument not in {"--detach", "-d"}]
    with log.open("wb") as output:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
        ]
        pid = os.posix_spawn(
            sys.executable,
            arguments,
            {**caller_environment(), "BANKSMAN_HOME": str(folder.root)},
            file_actions=actions,
            setsid=True,
        )
    _watch_start(folder, pid, log)


def _watch_start(folder: StackFolder, pid: int, log: Path) -> None:
    deadline = time.monotonic() + _START_PATIENCE
    with Board() as shown:
        while time.monotonic() < deadline:
            reply = asyncio.run(ask(folder.socket, Ask(op="status")))
            if reply is not None:
                shown.say_new(reply.notes)
                shown.update(reply.children)
                if reply.ready:
                    break
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                shown.stop()
                err.print(log.read_text(encoding="utf-8", errors="replace"), markup=False, end="")
                raise typer.Exit(os.waitstatus_to_exitcode(status) or int(Exit.FAILED))
            time.sleep(_POLL)
        else:
            fail(f"the environment was not ready after {_START_PATIENCE:.0f} s; its log is {log}")
    print_stack(folder.read(), reply)
