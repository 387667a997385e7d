"""The line to what runs beside a service in its container: requests in, answers out, many at once.

The engine's `exec` with its streams attached. What comes back was written by a stranger: every length is bounded, and
a line that says anything else is closed.
"""

import asyncio
import base64
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.local.platform import inside
from deploy.local.platform.attached import attach, said
from sandbox.docker.engine import Engine

_LONGEST: Final = inside.MOST_BODY * 4 // 3 + 64 * 1024


class NoAnswer(Exception):
    """The service did not answer; the message says why in our words."""


@dataclass(frozen=True)
class Request:
    """What a visitor asks.

    Attributes:
        path: With its query, from the service's own root.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class Answer(BaseModel):
    """What the service says.

    Attributes:
        kind: Of the content.
        body: In base64.
        error: Why there is none of it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: int = Field(default=502, ge=100, le=599)
    kind: Annotated[str, Field(pattern=r"^[ -~]*$", max_length=200)] = "text/plain"
    body: str = ""
    error: Annotated[str, Field(max_length=200)] = ""

    def content(self) -> bytes:
        """The body's bytes.

        Raises:
            ValueError: It is not base64.
        """
        return base64.b64decode(self.body, validate=True)


class Line:
    """One line into one container."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self._buffer = bytearray()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, engine: Engine, container: str, *, port: int) -> Self:
        """Start what answers beside the service, and attach to it.

        Raises:
            SandboxError: The engine refuses, or is gone.
        """
        code = Path(inside.__file__).read_text(encoding="utf-8")
        return cls(*await attach(engine, container, code, [str(port)]))

    async def ask(self, request: Request, *, seconds: float) -> Answer:
        """One request to the service, and its answer.

        Raises:
            NoAnswer: There is none.
        """
        self._number = (self._number + 1) % 2**32
        number, future = self._number, asyncio.get_running_loop().create_future()
        told = {"method": request.method, "path": request.path, "headers": request.headers}
        text = json.dumps({**told, "body": base64.b64encode(request.body).decode()}).encode()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(seconds):
                if self._reading.done():
                    raise NoAnswer("the line into the container has ended")
                self._writer.write(inside.HEAD.pack(number, len(text)) + text)
                await self._writer.drain()
                answer = Answer.model_validate_json(await future)
                answer.content()
        except TimeoutError as error:
            raise NoAnswer(f"nothing came within {seconds:g} s") from error
        except (OSError, ValidationError, ValueError) as error:
            raise NoAnswer(f"its answer makes no sense ({type(error).__name__})") from error
        finally:
            self._waiting.pop(number, None)
        if answer.error:
            raise NoAnswer(f"the service does not answer ({answer.error})")
        return answer

    async def close(self) -> None:
        """Hang up; what answers in the container then ends."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        try:
            async for part in said(self._reader):
                self._buffer += part
                if not self._deliver():
                    return
        finally:
            for one in self._waiting.values():
                if not one.done():
                    one.set_exception(NoAnswer("the line into the container has ended"))

    def _deliver(self) -> bool:
        """Hand out whole frames; False where what comes is none."""
        while len(self._buffer) >= inside.HEAD.size:
            number, size = inside.HEAD.unpack_from(self._buffer)
            if size > _LONGEST:
                return False
            end = inside.HEAD.size + size
            if len(self._buffer) < end:
                return True
            found = self._waiting.get(number)
            if found is not None and not found.done():
                found.set_result(bytes(self._buffer[inside.HEAD.size : end]))
            del self._buffer[:end]
        return True
