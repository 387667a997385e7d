"""How the command talks to a running environment: one line of JSON each way, over a unix socket only its owner may use.

A worker started by hand asks here for its wrapped secret id; whoever may open the socket may be that worker.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deploy.local.processes.child import ChildReport

_LINE_LIMIT = 1 << 20


class Ask(BaseModel):
    """A request to the running environment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Literal["status", "stop", "secret-id"]
    role: str | None = None


class WaitingGoal(BaseModel):
    """One that goes on when a person does something."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: Literal["waiting", "parked"]


class Reply(BaseModel):
    """Its answer. `secret` is a wrapped, single-use secret id: worth nothing after its first use or a minute."""

    model_config = ConfigDict(frozen=True)

    ok: bool = True
    error: str | None = None
    ready: bool = False
    children: tuple[ChildReport, ...] = ()
    notes: tuple[str, ...] = ()
    waiting: tuple[WaitingGoal, ...] = ()
    role_id: str | None = None
    secret: str | None = None
    settings: dict[str, str] = Field(
        default_factory=dict, description="The environment of the worker that the secret is for."
    )


Answer = Callable[[Ask], Awaitable[Reply]]


@contextlib.asynccontextmanager
async def serve(path: Path, answer: Answer):  # noqa: ANN201 - an async generator behind a context manager
    """Answer requests for as long as the block runs."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            try:
                reply = await answer(Ask.model_validate_json(await reader.readline()))
            except ValueError:  # a line without end, or not a request
                reply = Reply(ok=False, error="that is no request of the banksman command")
            except Exception as error:  # noqa: BLE001 - the caller is told; the environment goes on
                reply = Reply(ok=False, error=str(error))
            writer.write(reply.model_dump_json().encode() + b"\n")
            await writer.drain()
        finally:
            writer.close()

    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(handle, path, limit=_LINE_LIMIT)
    finally:
        os.umask(before)
    try:
        yield
    finally:
        server.close()


async def ask(path: Path, request: Ask, *, timeout: float = 10.0) -> Reply | None:  # noqa: ASYNC109 - one bound on all of it
    """Ask the environment behind this socket; None when none is running there."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(path, limit=_LINE_LIMIT)
            writer.write(request.model_dump_json().encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
            writer.close()
            return Reply.model_validate_json(line) if line else None
    except (FileNotFoundError, ConnectionError, TimeoutError):
        return None
