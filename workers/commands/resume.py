"""`banksman resume`."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from workers.commands.connection import client_settings, command_telemetry, connect_or_fail
from workers.commands.exits import fail, out
from workflows.contracts import GoalStatus, Resume


def resume(
    workflow_id: Annotated[str, typer.Argument(metavar="WORKFLOW_ID", help="The parked goal's workflow id.")],
    note: Annotated[str, typer.Option(help="What was mended, for the record.")] = "",
) -> None:
    """Let a parked goal try its step again."""
    asyncio.run(_resume(workflow_id, note))


async def _resume(workflow_id: str, note: str) -> None:
    settings = client_settings()
    client = await connect_or_fail(settings, command_telemetry(settings))
    try:
        answer = await client.get_workflow_handle(workflow_id).execute_update(
            "resume", Resume(note=note), result_type=GoalStatus
        )
    except WorkflowUpdateFailedError as error:
        fail(error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            fail(f"no goal runs under {workflow_id!r}")
        raise
    out.print(f"{escape(workflow_id)} goes on: {escape(answer.step or '')}")
