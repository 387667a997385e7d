"""`banksman trace-store`."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.local.traces.app import create_app
from observability.setup import TelemetrySettings, configure
from workers.commands.served import serve


def trace_store(
    database: Path,
    listen: Annotated[str, typer.Option(help="host:port")] = "127.0.0.1:8318",
    temporal_ui: Annotated[str | None, typer.Option(help="The Temporal UI, which a trace leads back to.")] = None,
    console: Annotated[str | None, typer.Option(help="The console, which a trace leads back to.")] = None,
) -> None:
    """Keep traces and show them: what Tempo does in the Compose stack."""
    telemetry = configure("traces", settings=TelemetrySettings())
    serve(create_app(database, temporal_ui=temporal_ui, console=console), listen, telemetry)
