"""How an answer leaves: whole, in pieces, broken off, or not at all."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connectors.models.twin.conversation import Ending

_NO_HEADERS: Final[Mapping[str, str]] = {}


class Streamed(Response):
    """Events one after the other.

    Args:
        events: Each as it is written.
        media_type: Of the stream.
        ending: How it breaks off; None: it does not.
        last: The event of an error that an ending may tell.
        headers: Of the answer.
    """

    def __init__(
        self,
        events: Sequence[bytes],
        media_type: str,
        ending: Ending | None,
        *,
        last: bytes,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        super().__init__(headers=dict(headers), media_type=media_type)
        del self.headers["content-length"]
        self._events = list(events if ending is None else events[: ending.kept(len(events))])
        self._ends = ending is None or ending.politely
        if ending is not None and ending.told:
            self._events.append(last)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send each event; where the answer breaks off the server closes the connection under the client's feet."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        if self._ends:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class Halved(Response):
    """An answer in one piece of which half arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Promise all, and send half."""
        del scope, receive
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": half, "more_body": True})


class Silence(Response):
    """Nothing, until the client hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for that."""
        del scope, send
        while (await receive())["type"] != "http.disconnect":
            pass


async def stays(request: Request, seconds: float) -> bool:
    """Whether a client whose request is read is still there after so long."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return True
    return False
