"""The supervisor of `banksman up`: the process that lives as long as the environment."""

import asyncio
import os
import signal
from collections.abc import Callable

from rich.markup import escape
from temporalio.service import RPCError

from connectors.errors import ConnectorError
from deploy.local.options import StackOptions, Wanted
from deploy.local.processes.child import ChildFailed, ChildReport, ChildState
from deploy.local.processes.control import Reply
from deploy.local.stack import Stack
from deploy.local.state import StackFolder, StackState
from deploy.temporal import NotPromoted
from workers.commands.board import Board
from workers.commands.exits import err, fail
from workers.commands.status import print_stack, tell_crash
from workers.settings import caller_environment
from workers.temporal import DEPLOYMENT_NAME, build_id


def run_here(folder: StackFolder, wanted: Wanted) -> None:
    """Supervise in this process until Ctrl-C, SIGTERM or `banksman down`."""
    options = StackOptions(
        **vars(wanted), environment=caller_environment(), deployment=DEPLOYMENT_NAME, build_id=build_id
    )
    board: dict[str, ChildReport] = {}
    os.umask(0o077)  # databases and logs are the owner's alone, whoever of the children makes them
    try:
        with Board() as shown:

            def changed(report: ChildReport) -> None:
                before = board.get(report.name)
                board[report.name] = report
                shown.update(board.values())
                if report.state is ChildState.RESTARTING and (before is None or before.restarts < report.restarts):
                    tell_crash(report)

            def noted(line: str) -> None:
                shown.say(f"  [dim]{escape(line)}[/]")

            stack = Stack(folder, options, changed, noted)

            def ready(state: StackState) -> None:
                shown.stop()
                print_stack(state, Reply(ready=True, children=tuple(board.values())))
                err.print("Ctrl-C or `banksman down` ends it.")

            asyncio.run(_supervise(stack, ready))
    except (ChildFailed, ConnectorError, NotPromoted, OSError, RPCError, ValueError) as error:
        fail(str(error))
    err.print("The environment has ended; what it keeps is in " + escape(str(folder.root)))


async def _supervise(stack: Stack, ready: Callable[[StackState], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stack.stop)
    await stack.run(ready)
