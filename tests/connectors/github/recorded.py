"""The twin behind a recorder: what really passed between client and twin, judged afterwards."""

import contextlib
import socket
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import cast

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.github.client import GitHubApp
from connectors.github.models import AppCredentials
from connectors.github.twin.auth import Authority
from tests.connectors.github.description import Exchange


@dataclass
class Recorder:
    """ASGI middleware in front of everything: notes each exchange with the API, whole."""

    app: ASGIApp
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    everything: list[Exchange] = field(default_factory=list[Exchange])
    bearers: list[str] = field(default_factory=list[str])
    faulty: bool = False
    tokens_before: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_twin/"):
            self.faulty = self.faulty or (scope["type"] == "http" and scope["method"] == "POST")
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        self.bearers.append(headers.get(b"authorization", b"").decode().rpartition(" ")[2])
        sent, received = bytearray(), bytearray()
        start: list[Message] = []

        async def taking() -> Message:
            message = await receive()
            received.extend(message.get("body", b""))
            return message

        def note() -> None:
            if start:
                exchange = _exchange(scope, start.pop(), request=bytes(received), response=bytes(sent))
                self.exchanges.append(exchange)
                self.everything.append(exchange)

        async def giving(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.append(message)
            sent.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                note()  # before the answer leaves: who asked looks here as soon as it has come
            await send(message)

        try:
            await self.app(scope, taking, giving)
        finally:
            note()

    def judged(self) -> list[Exchange]:
        """What the description speaks of: the API, not git's own protocol."""
        return [one for one in self.everything if ".git/" not in one.path]

    def lines(self) -> list[str]:
        """Method, path and status of each."""
        return [f"{one.method} {one.path} {one.status}" for one in self.exchanges]


def _exchange(scope: Scope, start: Message, *, request: bytes, response: bytes) -> Exchange:
    headers = {name.lower(): value.decode() for name, value in start["headers"]}
    return Exchange(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode(),
        request_body=request,
        status=start["status"],
        content_type=headers.get(b"content-type", ""),
        body=response,
        connection=(scope["client"][0], scope["client"][1]),
    )


@dataclass(frozen=True)
class Served:
    """A twin that runs, and whom it knows."""

    address: str
    recorder: Recorder
    credentials: AppCredentials
    hands: httpx.Client
    app: Starlette

    @property
    def live_tokens(self) -> int:
        """How many installation tokens of this test are neither revoked nor too old."""
        return self._authority.live - self.recorder.tokens_before

    @property
    def _authority(self) -> Authority:
        return cast("Authority", self.app.state.authority)

    def forget(self) -> None:
        """As if nothing had been asked yet."""
        for what in ("faults", "requests"):
            self.hands.delete(f"/_twin/{what}").raise_for_status()
        self.recorder.exchanges.clear()
        self.recorder.everything.clear()
        self.recorder.bearers.clear()
        self.recorder.faulty = False
        self.recorder.tokens_before = self._authority.live

    def plant(self, **fault: object) -> None:
        """Let a fault wait for the next request that matches."""
        self.hands.post("/_twin/faults", json=fault).raise_for_status()

    def requests(self) -> list[dict[str, object]]:
        """What the twin's own log says."""
        return cast("list[dict[str, object]]", self.hands.get("/_twin/requests").json())

    def github(self, *, timeout: int = 10) -> GitHubApp:
        """A client of it."""
        return GitHubApp(base_url=self.address, timeout=timeout)


@contextlib.contextmanager
def served(app: Starlette, *, client_id: str, private_key: SecretStr) -> Generator[Served]:
    """Serve a twin by a real server on a free port, in a thread of its own."""
    recorder = Recorder(app)
    config = uvicorn.Config(recorder, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=address) as hands:
            yield Served(address, recorder, AppCredentials(client_id=client_id, private_key=private_key), hands, app)
        server.should_exit = True
        thread.join(timeout=10)
