"""A web application as the whole work of a process."""

import uvicorn
from starlette.applications import Starlette

from observability.setup import Telemetry, instrument_app


def serve(app: Starlette, listen: str, telemetry: Telemetry) -> None:
    """Serve at `host:port` until the process is told to end."""
    instrument_app(app)
    try:
        uvicorn.Server(server_config(app, listen)).run()
    finally:
        telemetry.shutdown()


def server_config(app: Starlette, listen: str) -> uvicorn.Config:
    """Of a server at `host:port`, which logs as the process does."""
    host, _, port = listen.rpartition(":")
    return uvicorn.Config(app, host=host, port=int(port), log_config=None, timeout_graceful_shutdown=5)
