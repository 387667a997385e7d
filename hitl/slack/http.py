"""Slack's requests over HTTP, each verified by its signature over the raw body before anything of it is read."""

from typing import Final

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH: Final = "/slack/events"
MAX_BODY_BYTES: Final = 1024 * 1024
"""Far more than an interaction has; anybody can send here."""

_TIMESTAMP_DIGITS: Final = 12
_LENGTH_DIGITS: Final = 12


def http_app(app: AsyncApp) -> Starlette:
    """The one address that Slack is given.

    Args:
        app: With its signing secret: it compares the signature, and refuses a time more than five minutes away.
    """
    handler = AsyncSlackRequestHandler(app)

    async def events(request: Request) -> Response:
        if not _is_time(request.headers.get("X-Slack-Request-Timestamp", "")):
            return JSONResponse({"error": "invalid request"}, status_code=401)
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > _LENGTH_DIGITS or int(length) > MAX_BODY_BYTES:
            return JSONResponse({"error": "too long, or of no said length"}, status_code=413)
        return await handler.handle(request)

    return Starlette(routes=[Route(PATH, events, methods=["POST"])])


def _is_time(text: str) -> bool:
    # The SDK reads it as a number before it compares, and fails at what is none.
    return text.isascii() and text.isdecimal() and len(text) <= _TIMESTAMP_DIGITS
