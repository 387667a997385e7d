"""The outermost gate: whatever may change something comes from our own pages, by POST, and says so."""

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOKING: Final = frozenset({"GET", "HEAD"})


class SameOrigin:
    """Refuses every other method than GET and HEAD unless the browser says that our own page sent it.

    `Origin` must be there: every browser sends it with a POST. `Sec-Fetch-Site`, which newer ones send, must agree.
    """

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        self._app = app
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or answer 403."""
        if scope["type"] == "http" and scope["method"] not in _LOOKING and not self._ours(Request(scope)):
            text = "This did not come from a page of this console. Nothing was done; open the console and try there.\n"
            await PlainTextResponse(text, status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _ours(self, request: Request) -> bool:
        origins = request.headers.getlist("origin")
        sites = request.headers.getlist("sec-fetch-site")
        return origins == [self._origin] and sites in ([], ["same-origin"])
