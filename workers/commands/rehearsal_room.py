"""`banksman rehearsal-room`: the inside of a rehearsal, as a process that `banksman rehearse` starts sealed off."""

import asyncio
import os
import signal
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from temporalio.service import RPCError

from connectors.errors import ConnectorError
from deploy.local.options import ProvidersWanted, StackOptions
from deploy.local.processes.child import ChildFailed
from deploy.local.rehearsal.order import COPIED, POLICY, CopiedStack, Found, Order, write_found
from deploy.local.rehearsal.room import rehearse
from deploy.local.state import StackFolder
from deploy.temporal import NotPromoted
from sandbox.errors import SandboxError
from workers.commands.exits import Exit, fail
from workers.commands.stack_seeds import StackNotSeeded, seed_stacks
from workers.settings import caller_environment
from workers.temporal import DEPLOYMENT_NAME, build_id


def rehearsal_room(
    folder: Annotated[Path, typer.Argument(help="With the order, the policy and what was copied.")],
) -> None:
    """Rehearse what the order says in here, and leave what was found in the folder."""
    os.umask(0o077)
    order = Order.read(folder)
    options = StackOptions(
        repositories={},
        policy=folder / POLICY,
        encrypt=False,
        traces=False,
        sandbox=False,
        providers=ProvidersWanted(packages=order.packages, environment=order.told),
        copied=folder / COPIED,
        environment=caller_environment(),
        deployment=DEPLOYMENT_NAME,
        build_id=build_id,
    )
    try:
        found = asyncio.run(_until_told(folder, options, order))
    except asyncio.CancelledError:
        raise typer.Exit(int(Exit.CANCELLED)) from None
    except (
        ChildFailed,
        ConnectorError,
        NotPromoted,
        OSError,
        RPCError,
        SandboxError,
        StackNotSeeded,
        ValueError,
    ) as error:
        fail(str(error))
    write_found(found, folder)


async def _until_told(folder: Path, options: StackOptions, order: Order) -> tuple[Found, ...]:
    """Told to end, it ends everything that it started."""
    environment = StackFolder(folder / "e")
    seed = partial(seed_stacks, environment, CopiedStack.all_in(folder))
    work = asyncio.create_task(rehearse(environment, options, order, seed=seed))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    return await work
