"""The open line to one container's first process: orders and beats in, frames out.

A beat says that the worker is there. When the worker is stopped or killed, or the engine between the two is, none
comes, and the first process ends everything in its container.

The SDK's `attach_socket` hands out the raw socket under an HTTP response, with private fields on the way and bytes
lost that the response had buffered. The upgrade is ten lines of HTTP, so the line is opened here, on asyncio.
"""

import asyncio
import contextlib
import struct
from collections import deque
from typing import Final

from sandbox.errors import SandboxUnavailable
from sandbox.wire import BEAT, BEAT_SECONDS, KINDS, LONGEST_FRAME, NEXT, Order

_DOCKER_HEADER: Final = struct.Struct(">BxxxI")
_OWN_HEADER: Final = struct.Struct(">cI")
_STDOUT: Final = 1
_COMPLAINT_BYTES: Final = 2000
_OPEN_SECONDS: Final = 30


class Attachment:
    """Speaks with the first process of one container."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._buffer = bytearray()
        self._frames = deque[tuple[bytes, bytes]]()
        self.complaint = b""
        self._sending = False
        self._beating = asyncio.create_task(self._beat())

    @classmethod
    async def open(cls, socket_path: str, container: str) -> "Attachment":
        """Attach to a container that exists; what it says from now on is read.

        Raises:
            SandboxUnavailable: The engine is gone, or refuses.
        """
        request = (
            f"POST /v1.41/containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n"
            "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
        )
        try:
            reader, writer = await asyncio.open_unix_connection(socket_path)
        except OSError as error:
            raise SandboxUnavailable(f"cannot attach to a container: {type(error).__name__}") from error
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                writer.write(request.encode())
                answer = await reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            writer.close()
            raise SandboxUnavailable(f"cannot attach to a container: {type(error).__name__}") from error
        except BaseException:
            writer.close()
            raise
        attachment = cls(reader, writer)
        if not answer.startswith(b"HTTP/1.1 101"):
            await attachment.close()
            raise SandboxUnavailable(f"the engine refuses to attach: {answer.splitlines()[0][:80]!r}")
        return attachment

    @property
    def ended(self) -> bool:
        """Whether the container is known to have hung up."""
        return self._reader.at_eof()

    async def send(self, order: Order, *, follows: bool = False) -> None:
        """Hand the order over; a line that breaks shows itself when the frames are read.

        Args:
            order: Which one.
            follows: The container has carried one out, and stayed.
        """
        self._sending = True  # an order is a sign of life itself, and no beat may stand in it
        try:
            with contextlib.suppress(ConnectionError):
                if follows:
                    self._writer.write(NEXT)
                for piece in order.pieces():
                    self._writer.write(piece)
                    await self._writer.drain()
        finally:
            self._sending = False

    async def _beat(self) -> None:
        while not self._writer.is_closing():
            if not self._sending:
                self._writer.write(BEAT)
            await asyncio.sleep(BEAT_SECONDS)

    async def frame(self) -> tuple[bytes, bytes] | None:
        """The next frame's kind and body; None when the container has ended.

        Raises:
            SandboxUnavailable: What comes is not the first process speaking.
        """
        while not self._frames:
            if not await self._fill():
                return None
            self._frames.extend(self._complete())
        return self._frames.popleft()

    async def _fill(self) -> bool:
        """Read one piece of the engine's stream; False at its end."""
        try:
            source, size = _DOCKER_HEADER.unpack(await self._reader.readexactly(_DOCKER_HEADER.size))
            body = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        if source == _STDOUT:
            self._buffer += body
        else:
            self.complaint = (self.complaint + body)[:_COMPLAINT_BYTES]
        return True

    def _complete(self) -> list[tuple[bytes, bytes]]:
        frames: list[tuple[bytes, bytes]] = []
        start = 0
        while len(self._buffer) - start >= _OWN_HEADER.size:
            kind, size = _OWN_HEADER.unpack_from(self._buffer, start)
            if kind not in KINDS or size > LONGEST_FRAME:
                raise SandboxUnavailable("the container speaks another language: build its image again")
            end = start + _OWN_HEADER.size + size
            if len(self._buffer) < end:
                break
            frames.append((kind, bytes(self._buffer[start + _OWN_HEADER.size : end])))
            start = end
        del self._buffer[:start]
        return frames

    async def close(self) -> None:
        """Hang up; the first process then ends everything in its container."""
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            await self._writer.wait_closed()
