"""A server of one page that speaks as OpenAI's chat completions do: it says what a test tells it to, once each."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

USAGE = {"prompt_tokens": 120, "completion_tokens": 8, "total_tokens": 128}


@dataclass
class Compatible:
    """What it answers, one after the other, and what it was asked."""

    answers: list[Response] = field(default_factory=list[Response])
    asked: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    keys: list[str] = field(default_factory=list[str])

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("authorization", ""))
        return self.answers.pop(0)


def says(
    text: str | None = "lit",
    *,
    calls: Sequence[tuple[str, str]] = (),
    ended: str = "stop",
    usage: Mapping[str, Any] | None = USAGE,
) -> Response:
    """An answer: words, or calls of tools, each with its arguments as text."""
    told = [
        {"id": f"call-{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": text, **({"tool_calls": told} if told else {})}
    return JSONResponse(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "lamp-1-2026",
            "choices": [{"index": 0, "message": message, "finish_reason": ended}],
            **({"usage": dict(usage)} if usage is not None else {}),
        }
    )


def refuses(status: int, *, code: str = "", message: str = "no", headers: Mapping[str, str] | None = None) -> Response:
    """A refusal in the form of OpenAI."""
    body = {"error": {"message": message, "type": "an_error", "code": code or None, "param": None}}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


def breaks_off() -> Response:
    """Half an answer."""

    async def half() -> AsyncIterator[bytes]:
        yield json.dumps({"id": "chatcmpl-1"})[:-1].encode()
        raise ConnectionResetError

    return StreamingResponse(half(), media_type="application/json", headers={"content-length": "5000"})


def says_in_pieces(*pieces: str, goes_on: threading.Event | None = None, ends: bool = True) -> Response:
    """An answer as a stream: the first piece, and the others once it goes on; one that does not end breaks off."""

    def chunk(delta: Mapping[str, Any], ended: str | None = None, usage: Mapping[str, Any] | None = None) -> bytes:
        choice = {"index": 0, "delta": dict(delta), "finish_reason": ended}
        told = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "lamp-1"}
        return f"data: {json.dumps({**told, 'choices': [choice], 'usage': usage})}\n\n".encode()

    async def stream() -> AsyncIterator[bytes]:
        for number, one in enumerate(pieces):
            if number and goes_on is not None:
                await asyncio.to_thread(goes_on.wait)
            yield chunk({"role": "assistant", "content": one})
        if ends:
            yield chunk({}, "stop", USAGE)
            yield b"data: [DONE]\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")
