"""The embedded environment's trace store, served to tests."""

import contextlib
import socket
import threading
from collections.abc import Generator
from pathlib import Path

import uvicorn

from deploy.local.traces.app import create_app


@contextlib.contextmanager
def trace_server(database: Path) -> Generator[str]:
    """Where it answers."""
    server = uvicorn.Server(uvicorn.Config(create_app(database), host="127.0.0.1", log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
