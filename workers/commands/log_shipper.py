"""`banksman log-shipper`."""

import signal
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from deploy.local.telemetry.lines import send_lines
from observability.setup import TelemetrySettings, configure


def log_shipper(
    folder: Path,
    to: Annotated[str, typer.Option(help="Base URL of an OTLP receiver.")],
    metrics: Annotated[str, typer.Option(help="host:port of its own metrics.")],
) -> None:
    """Send the lines of log files to a collector: what Docker's log driver does in the Compose stack."""
    telemetry = configure("log-shipper", settings=TelemetrySettings(metrics_address=metrics), temporal=False)
    stopped = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    send_lines(folder, to, stopped)
    telemetry.shutdown()
