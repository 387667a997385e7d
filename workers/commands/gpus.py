"""`banksman gpu`: restart or rename the machine that a goal `LeaseGpu` holds. Its lease extends and ends it."""

import asyncio
from typing import Annotated, Final

import typer
from pydantic import BaseModel, ValidationError
from rich.markup import escape
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from hitl.hidden import visible
from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import Exit, fail, out, shown
from workflows.lambdalabs.goals import LeaseGpuResult, RenameGpu, RestartGpu

_GONE: Final = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})

gpu = typer.Typer(help="Restart or rename a GPU machine that a goal holds.", no_args_is_help=True)

_Id = Annotated[str, typer.Argument(metavar="WORKFLOW_ID", help="The goal's workflow id, as in lease-gpu/train.")]
_Note = Annotated[str, typer.Option(help="Why, for the record.")]


@gpu.command("restart")
def restart(goal: _Id, *, note: _Note = "") -> None:
    """Restart the machine and wait until it is ready again; what runs on it ends, its disk stays."""
    asyncio.run(_asked(goal, "restart", RestartGpu(note=note[:500])))


@gpu.command("rename")
def rename(
    goal: _Id, name: Annotated[str, typer.Argument(help="What Lambda Labs is to call it.")], *, note: _Note = ""
) -> None:
    """Give the machine another name at Lambda Labs; goal, lease and policy keep the first one."""
    try:
        request = RenameGpu(name=name, note=note[:500])
    except ValidationError:
        fail(f"{name!r} is no name: lower-case letters, digits and hyphens, a letter first, at most 48", Exit.USAGE)
    asyncio.run(_asked(goal, "rename", request))


async def _asked(goal: str, name: str, request: BaseModel) -> None:
    settings = client_settings()
    telemetry = command_telemetry(settings)
    try:
        client = await connect_or_fail(settings, telemetry)
        told = await client.get_workflow_handle(goal).execute_update(name, request, result_type=LeaseGpuResult)
    except WorkflowUpdateFailedError as error:
        fail(error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause))
    except RPCError as error:
        if error.status in _GONE:
            fail(f"no goal LeaseGpu runs under {goal!r}")
        fail(f"Temporal does not answer: {error.message}")
    finally:
        telemetry.shutdown()
    done = f"{told.called or told.name} ({told.instance}), at {told.address}"
    out.print(escape(shown(visible(done))), soft_wrap=True)
