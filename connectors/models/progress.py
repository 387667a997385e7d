"""How far an answer has come: how much of it and since when, and no word of it."""

import time
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field

from pydantic_ai.messages import (
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a watcher may know.

    Attributes:
        characters: That were said so far, arguments of tools included.
        first_after: Seconds until the first of them; None before it.
    """

    characters: int = 0
    first_after: float | None = None


Tell = Callable[[Progress], None]


@dataclass
class Listening:
    """Counts what a stream says.

    Attributes:
        tell: Told of each piece.
    """

    tell: Tell
    _began: float = field(default_factory=time.monotonic)
    _now: Progress = field(default_factory=Progress)

    async def through(self, events: AsyncIterable[ModelResponseStreamEvent]) -> None:
        """To its end."""
        async for event in events:
            if said := _size(event):
                first = self._now.first_after
                after = round(time.monotonic() - self._began, 1) if first is None else first
                self._now = Progress(characters=self._now.characters + said, first_after=after)
                self.tell(self._now)


def _size(event: ModelResponseStreamEvent) -> int:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return len(text)
        case PartStartEvent(part=ToolCallPart(args=given)) | PartDeltaEvent(delta=ToolCallPartDelta(args_delta=given)):
            return len(given) if isinstance(given, str) else len(str(given or ""))
        case _:
            return 0
