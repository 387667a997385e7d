"""An application behind a real uvicorn on a free port."""

import socket
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

_PATIENCE = 10.0


@dataclass(frozen=True)
class ServedTwin:
    """A running twin with faults in front."""

    url: str
    http: httpx.Client

    def plant(self, **fault: object) -> None:
        """The next request that it is about ends so."""
        self.http.post("/_twin/faults", json=fault).raise_for_status()

    def requests(self) -> list[Mapping[str, Any]]:
        """What was asked."""
        return cast("list[Mapping[str, Any]]", self.http.get("/_twin/requests").json())


@contextmanager
def served(app: ASGIApp) -> Generator[str]:
    """Its address, until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="auto", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        deadline = time.monotonic() + _PATIENCE
        while not server.started:
            assert time.monotonic() < deadline, "the application does not come up"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def served_twin(app: Starlette) -> Generator[ServedTwin]:
    """A twin, until the block ends."""
    with served(app) as url, httpx.Client(base_url=url, timeout=10) as http:
        yield ServedTwin(url, http)
