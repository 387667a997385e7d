"""Socket Mode: connections that an app opened, each envelope to one of them, acknowledgements back."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, cast
from uuid import uuid4

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from connectors.slack.twin.envelopes import Answer, Envelope
from connectors.slack.twin.problems import Json
from connectors.slack.twin.tickets import Tickets

MAX_CONNECTIONS: Final = 10
DisconnectReason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]
_POLICY_VIOLATION: Final = 1008


@dataclass(eq=False)
class Connection:
    """One open socket."""

    socket: WebSocket
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    sent: int = 0
    leaving: bool = False
    """It was asked to leave: nothing new goes to it."""

    async def send(self, frame: Mapping[str, object]) -> bool:
        """Whether the frame could be sent."""
        if self.socket.application_state is not WebSocketState.CONNECTED:
            return False
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(json.dumps(frame))
            return True
        return False

    async def disconnect(self, reason: DisconnectReason) -> None:
        """Ask the client to go; all but a warning close the socket."""
        self.leaving = reason != "warning"
        await self.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-twin"}})
        if self.leaving:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self.socket.close()


@dataclass
class Sockets:
    """All connections of the one app."""

    app_id: str
    tickets: Tickets
    connections: list[Connection] = field(default_factory=list[Connection])
    _waiting: dict[str, asyncio.Future[Answer]] = field(default_factory=dict[str, asyncio.Future[Answer]])
    _turn: int = 0

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from its ticket to its end."""
        if not self.tickets.enter(socket.query_params.get("ticket", "")):
            await socket.close(_POLICY_VIOLATION)
            return
        await socket.accept()
        connection = Connection(socket)
        if len(self.connections) >= MAX_CONNECTIONS:
            await connection.disconnect("too_many_websockets")
            return
        self.connections.append(connection)
        try:
            await connection.send(self._hello())
            while True:
                self._take(await socket.receive_text())
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass  # the client went away, or sent bytes, which Slack's protocol does not have
        finally:
            self.connections.remove(connection)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.connections),
            "connection_info": {"app_id": self.app_id},
            "debug_info": {"host": "applink-twin", "build_number": 1, "approximate_connection_time": 18060},
        }

    def _take(self, text: str) -> None:
        """An acknowledgement; whatever else comes means nothing, as with Slack."""
        try:
            frame = json.loads(text)
        except ValueError:
            return
        if not isinstance(frame, dict):
            return
        said = cast("Json", frame)
        waiting = self._waiting.get(str(said.get("envelope_id")))
        if waiting is not None and not waiting.done():
            payload = said.get("payload")
            waiting.set_result(Answer("acknowledged", cast("Json", payload) if isinstance(payload, dict) else {}))

    async def carry(self, envelope: Envelope, *, seconds: float, copies: int = 1) -> Answer:
        """Send an envelope to one connection, or the same one twice, and wait for the first acknowledgement."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[envelope.id] = waiting
        try:
            for number in range(copies):
                if not await self._send(envelope) and number == 0:
                    return Answer("unreachable")
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError:
            return Answer("timed_out")
        finally:
            del self._waiting[envelope.id]

    async def _send(self, envelope: Envelope) -> bool:
        """To one connection after the other, so that every copy of an app gets its share."""
        for _ in range(len(self.connections)):
            self._turn += 1
            connection = self.connections[self._turn % len(self.connections)]
            if not connection.leaving and await connection.send(envelope.frame()):
                connection.sent += 1
                return True
        return False

    async def disconnect(self, reason: DisconnectReason) -> int:
        """Ask every connection to go; how many there were."""
        there = list(self.connections)
        for connection in there:
            await connection.disconnect(reason)
        return len(there)
