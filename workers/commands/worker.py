"""`banksman worker`."""

import asyncio
from typing import Annotated

import typer

from connectors.errors import ConnectorError
from connectors.vault import SecretIdAlarm
from workers.commands.exits import fail
from workers.commands.processes import load_settings, telemetry_for
from workers.process import CannotStart, run_role
from workers.settings import Role


def worker(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help=f"Which worker: {', '.join(Role)}.")],
) -> None:
    """Run one worker in the foreground; without credentials of its own it asks the running stack."""
    settings = load_settings()
    telemetry = telemetry_for(f"worker-{role}", settings)
    try:
        code = asyncio.run(run_role(role, settings, telemetry))
    except SecretIdAlarm as alarm:
        fail(f"ALARM: {alarm}")
    except (CannotStart, ConnectorError) as error:
        fail(str(error))
    finally:
        telemetry.shutdown()
    raise typer.Exit(code)
