"""The development sign-in is for this machine alone: each request must have arrived at a loopback address of ours."""

from ipaddress import ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class LoopbackOnly:
    """Refuses what arrived by a network, whatever address the server was told to listen at.

    The settings are checked before; this holds where somebody serves the console by other means.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or answer 403."""
        if scope["type"] == "http" and not _arrived_here(scope):
            text = "The development sign-in is served on this machine alone. Set up another sign-in.\n"
            await PlainTextResponse(text, status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _arrived_here(scope: Scope) -> bool:
    """By the address of our own end of the connection, which no header can change."""
    server = scope.get("server")
    try:
        return server is not None and ip_address(server[0]).is_loopback
    except ValueError:
        return False
