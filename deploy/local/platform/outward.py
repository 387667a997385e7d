"""The line out of a service's container: what it asks of its needs comes here, and is answered by the platform.

What comes was written by a stranger: every length is bounded, so is how much is answered at once, and a line that says
anything else is closed.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.local.platform import asking
from deploy.local.platform.attached import attach, said
from sandbox.docker.engine import Engine
from sandbox.errors import SandboxUnavailable

_LONGEST: Final = asking.MOST_BODY * 4 // 3 + 64 * 1024
_OPEN_SECONDS: Final = 30
_AT_ONCE: Final = 8


class Question(BaseModel):
    """What a service asks.

    Attributes:
        path: The need's name, and what lies behind it.
        body: In base64.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=500)]
    body: str

    def content(self) -> bytes:
        """The body's bytes.

        Raises:
            ValueError: It is not base64.
        """
        return base64.b64decode(self.body, validate=True)


@dataclass(frozen=True)
class Reply:
    """What it is answered."""

    status: int
    body: bytes


Answering = Callable[[str, bytes], Awaitable[Reply]]
"""Answers a path with a body. It raises nothing."""


class Outward:
    """One line out of one container."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answering: Answering) -> None:
        self._reader, self._writer, self._answering = reader, writer, answering
        self._buffer = bytearray()
        self._ready = asyncio.Event()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._answers: set[asyncio.Task[None]] = set()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, engine: Engine, container: str, answering: Answering, *, port: int) -> Self:
        """Start what listens beside the service, and wait until it does.

        Raises:
            SandboxError: The engine refuses, or is gone, or it does not listen.
        """
        code = Path(asking.__file__).read_text(encoding="utf-8")
        line = cls(*await attach(engine, container, code, [str(port)]), answering)
        ready = asyncio.create_task(line._ready.wait())
        await asyncio.wait({ready, line._reading}, timeout=_OPEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not line._ready.is_set():
            await line.close()
            raise SandboxUnavailable("the service cannot ask: what listens for it in its container did not begin")
        return line

    async def ended(self) -> None:
        """Wait until nothing more is heard, and all that was is answered."""
        await asyncio.wait({self._reading})
        if self._answers:
            await asyncio.wait(self._answers)

    async def close(self) -> None:
        """Hang up; what listens in the container then ends."""
        tasks = (self._reading, *self._answers)
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        async for part in said(self._reader):
            self._buffer += part
            if not await self._take():
                return

    async def _take(self) -> bool:
        """Answer whole frames; False where what comes is none. Whoever asks too much at once waits here."""
        while len(self._buffer) >= asking.HEAD.size:
            number, size = asking.HEAD.unpack_from(self._buffer)
            if size > _LONGEST:
                return False
            end = asking.HEAD.size + size
            if len(self._buffer) < end:
                return True
            text = bytes(self._buffer[asking.HEAD.size : end])
            del self._buffer[:end]
            if number == 0:
                self._ready.set()
                continue
            await self._turns.acquire()
            answer = asyncio.create_task(self._answer(number, text))
            self._answers.add(answer)
            answer.add_done_callback(self._answered)
        return True

    def _answered(self, answer: asyncio.Task[None]) -> None:
        self._answers.discard(answer)
        self._turns.release()

    async def _answer(self, number: int, text: bytes) -> None:
        try:
            question = Question.model_validate_json(text)
            reply = await self._answering(question.path, question.content())
        except (ValidationError, ValueError):
            reply = Reply(400, b'{"error": "that is no question"}')
        told = json.dumps({"status": reply.status, "body": base64.b64encode(reply.body).decode()}).encode()
        with contextlib.suppress(OSError):
            self._writer.write(asking.HEAD.pack(number, len(told)) + told)
            await self._writer.drain()
