"""What every answer says to the browser: our own scripts alone, nothing from elsewhere, in no frame, kept nowhere."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCRIPTS: Final = ("live.js", "keys.js")
"""By name: whatever else this origin serves, as a plan's bytes, runs nowhere."""

_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def safe_headers(origin: str) -> dict[str, str]:
    """The headers of a console at that origin."""
    scripts = " ".join(f"{origin}/static/{name}" for name in SCRIPTS)
    policy = (
        f"default-src 'none'; style-src 'self'; img-src 'self'; script-src {scripts}; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    secure = {"Strict-Transport-Security": "max-age=31536000"} if origin.startswith("https:") else {}
    return {"Content-Security-Policy": policy, **_ALWAYS, **secure}


class SafeHeaders:
    """Adds them wherever they are not said otherwise."""

    def __init__(self, app: ASGIApp, *, origin: str) -> None:
        self._app = app
        self._headers = safe_headers(origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""

        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, say)
