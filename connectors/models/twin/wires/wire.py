"""What every wire does: looks at the key, reads a request, lets it be played, and tells the answer in its form."""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, Final

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.models.twin.conversation import Asked, Played, WireName
from connectors.models.twin.faults import Interrupted, Silent, Slow
from connectors.models.twin.refusals import Kind, Refusal
from connectors.models.twin.stage import Stage
from connectors.models.twin.wires.answers import Halved, Silence, Streamed, stays

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PIECE: Final = re.compile(r"\S+\s*|\s+")
_ARGUMENTS_PIECE: Final = 12
Said = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body of a refusal."""


class Wire(ABC):
    """One provider's HTTP.

    Args:
        stage: Where the score is played.
    """

    name: ClassVar[WireName]
    events: ClassVar[str]
    """The media type of its streams."""
    truncates: ClassVar[bool] = False
    """Whether it forgets what does not fit the model, in silence."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @abstractmethod
    def known(self) -> Mapping[tuple[str, str], Callable[[Request, bytes], Awaitable[Response]]]:
        """What answers, by method and path below the wire's root."""

    @abstractmethod
    def authorise(self, request: Request, body: bytes) -> None:
        """Look at the key.

        Raises:
            Refusal: There is none, or it is not the one.
        """

    @abstractmethod
    def refusal(self, refused: Refusal) -> Said:
        """A refusal, in the provider's form."""

    @abstractmethod
    def whole(self, asked: Asked, played: Played) -> JsonValue:
        """An answer in one piece, checked."""

    @abstractmethod
    def pieces(self, asked: Asked, played: Played) -> Sequence[bytes]:
        """An answer in events, each checked and as it is written."""

    @abstractmethod
    def broken_off(self, refused: Refusal) -> bytes:
        """The event of an error in a stream that has begun."""

    def headers(self, number: int) -> Mapping[str, str]:
        """What goes with an answer.

        Args:
            number: Of its bill.
        """
        del number
        return {}

    def shown(self, played: Played) -> Played:
        """What this provider makes of an answer that it cannot carry as it is."""
        return played

    def routes(self) -> list[Route]:
        """What it knows, and behind that a refusal of all else."""
        known = [Route(path, self._guarded(one), methods=[method]) for (method, path), one in self.known().items()]
        return [*known, Route("/{path:path}", self._guarded(self._unknown), methods=list(_METHODS))]

    def refuse(self, refused: Refusal) -> Response:
        """A refusal, as an answer."""
        status, headers, body = self.refusal(refused)
        return Response(body, status, {**headers, **refused.headers}, media_type="application/json")

    async def perform(self, request: Request, asked: Asked) -> Response:
        """Let a request be played.

        Raises:
            Refusal: As the stage says.
        """
        found = self.stage.cue(asked, truncates=self.truncates)
        fault = found.cue.fault
        if isinstance(fault, Interrupted) and not asked.stream:
            raise Refusal(Kind.OVERLOADED)
        if isinstance(fault, Slow) and not await stays(request, fault.seconds):
            return Silence()
        played = self.shown(self.stage.play(asked, found))
        return Silence() if isinstance(fault, Silent) else self._answer(asked, played)

    def _answer(self, asked: Asked, played: Played) -> Response:
        ending, headers = played.ending, dict(self.headers(played.number))
        if asked.stream:
            last = self.broken_off(Refusal(Kind.OVERLOADED))
            return Streamed(self.pieces(asked, played), self.events, ending, last=last, headers=headers)
        return (JSONResponse if ending is None else _halved)(self.whole(asked, played), headers=headers)

    def _guarded(
        self, answer: Callable[[Request, bytes], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                body = await request.body()
                self.authorise(request, body)
                return await answer(request, body)
            except Refusal as refused:
                return self.refuse(refused)

        return endpoint

    async def _unknown(self, request: Request, body: bytes) -> Response:
        del body
        raise Refusal(Kind.UNKNOWN, f"this twin does not know {request.method} {request.url.path}")


def _halved(content: JsonValue, headers: Mapping[str, str]) -> Response:
    return Halved(JSONResponse(content).body, headers=dict(headers), media_type="application/json")


def words(text: str) -> list[str]:
    """A text in the pieces in which it is streamed."""
    return _PIECE.findall(text)


def splinters(arguments: str) -> list[str]:
    """Arguments in the pieces in which they are streamed."""
    return [arguments[at : at + _ARGUMENTS_PIECE] for at in range(0, len(arguments), _ARGUMENTS_PIECE)]
