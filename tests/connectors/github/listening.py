"""An App's own server, as the twin tells it of what happens: it keeps what comes, and answers as it is told."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hitl.github.events import AnyEvent, read_event
from hitl.github.signature import BodySignature, WebhookSecrets

SECRET = SecretStr("of the twin's App")
_PATIENCE = 10.0


@dataclass
class Came:
    """One delivery."""

    event: str
    guid: str
    body: bytes
    signed: bool

    @property
    def payload(self) -> dict[str, Any]:
        return json.loads(self.body)

    def read(self) -> AnyEvent:
        """As the gateway reads it."""
        found = read_event(self.event, self.body)
        assert found is not None
        return found

    @property
    def what(self) -> tuple[str, str]:
        return self.event, str(self.payload.get("action", ""))


@dataclass
class Listener:
    """The server.

    Attributes:
        answers: Statuses of the next answers; 202 after them.
    """

    address: str = ""
    answers: list[int] = field(default_factory=list[int])
    came: list[Came] = field(default_factory=list[Came])

    def app(self) -> Starlette:
        async def hook(request: Request) -> Response:
            body = await request.body()
            signature = BodySignature(WebhookSecrets(secret=SECRET))
            signature.take(body)
            good = signature.is_good(request.headers.get("X-Hub-Signature-256", ""))
            event, guid = request.headers["X-GitHub-Event"], request.headers["X-GitHub-Delivery"]
            self.came.append(Came(event, guid, body, good))
            return PlainTextResponse("", self.answers.pop(0) if self.answers else 202)

        return Starlette(routes=[Route("/", hook, methods=["POST"])])

    def wait(self, count: int) -> list[Came]:
        """What came, once there is so much."""
        deadline = time.monotonic() + _PATIENCE
        while len(self.came) < count:
            assert time.monotonic() < deadline, [one.what for one in self.came]
            time.sleep(0.01)
        return self.came


@contextlib.contextmanager
def listening() -> Generator[Listener]:
    """Served in a thread of its own."""
    made = Listener()
    server = uvicorn.Server(uvicorn.Config(made.app(), log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        made.address = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        yield made
        server.should_exit = True
        thread.join(timeout=10)
