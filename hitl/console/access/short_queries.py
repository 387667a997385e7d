"""Refuses an address that no page of ours has, before anything reads it."""

from http import HTTPStatus
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LONGEST: Final = 16 * 1024
"""Bytes of a query: two workflow ids, a filter and the place in a list, and a provider's answer to a sign-in."""


class ShortQueries:
    """Lets through what is short enough."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or say why not."""
        if scope["type"] == "http" and len(scope.get("query_string", b"")) > LONGEST:
            refusal = PlainTextResponse(
                "No page has such a long address.\n", status_code=HTTPStatus.REQUEST_URI_TOO_LONG
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
