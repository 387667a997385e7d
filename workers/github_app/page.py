"""A page on this machine that posts an App's manifest to GitHub, and takes the code that GitHub sends back.

It listens on loopback, at an address that nobody can guess, for one App; it answers to no other host name, takes a code
only with the state that it gave out, and ends by itself. Who runs the command sees the address.
"""

import asyncio
import contextlib
import html
import json
import secrets
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from connectors.errors import ConnectorError

_HOST: Final = "127.0.0.1"
_GRACE: Final = 3
_USED: Final = "This page was for one App, and is over. Look at the terminal."
_STYLE: Final = """
:root { color-scheme: light dark; --text: #1b2330; --bg: #f6f7f9; --panel: #fff; --line: #dfe4ea; --accent: #1f56b0;
  --on: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e9f1; --bg: #12161d; --panel: #1a202a; --line: #2c3544; --accent: #86b6ff; --on: #12161d; }
}
body { margin: 0; padding: 2.5rem 1rem; background: var(--bg); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 1.5rem 2rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: 10px; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; }
table { border-collapse: collapse; margin: 0 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem 1.25rem .25rem 0; font-weight: 400; }
th { white-space: nowrap; }
a { color: var(--accent); }
button { font: inherit; font-weight: 600; padding: .5rem 1rem; border: 0; border-radius: 7px; background: var(--accent);
  color: var(--on); cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a page says.

    Attributes:
        title: Its heading.
        rows: Name and value, where it has a table.
        words: Sentences below.
        link: Address and name of what comes next.
    """

    title: str
    rows: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    link: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What the page is for.

    Attributes:
        told: What a person reads before they go on.
        action: Where the manifest is posted to; GitHub's `state` is added.
        manifest: By the address that GitHub sends back to.
        take: Takes the code; what it says is shown.
    """

    told: Told
    action: str
    manifest: Callable[[str], Mapping[str, object]]
    take: Callable[[str], Awaitable[Told]]


class _Server(uvicorn.Server):
    """Leaves the signals to the command."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class LocalPage:
    """The page, until its code was taken.

    Args:
        errand: What it is for.
    """

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._state = secrets.token_urlsafe(32)
        self._way = secrets.token_urlsafe(24)
        self._listening = socket.create_server((_HOST, 0))
        self._over = asyncio.Event()
        self._taken = False
        self._failure: ConnectorError | None = None

    @property
    def address(self) -> str:
        """Where a person begins."""
        return f"{self._root}/{self._way}"

    @property
    def _root(self) -> str:
        return f"http://{_HOST}:{self._listening.getsockname()[1]}"

    def application(self) -> Starlette:
        """What is served."""
        return Starlette(routes=[Route("/made", self._made), Route("/{way}", self._begin)])

    async def until_made(self) -> None:
        """Serve until an App was made and kept.

        Raises:
            ConnectorError: What taking the code raised; the page says it, too.
        """
        # No access log: the address of the answer has the code in it.
        config = uvicorn.Config(
            self.application(), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[self._listening]))
        waiting = asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            server.should_exit = True
            await serving
            self._listening.close()
        if self._failure is not None:
            raise self._failure

    async def _begin(self, request: Request) -> Response:
        if not self._is_ours(request) or not _same(str(request.path_params["way"]), self._way):
            return _page(Told(title="There is nothing here"), HTTPStatus.NOT_FOUND)
        if self._taken:
            return _page(Told(title=_USED), HTTPStatus.GONE)
        manifest = json.dumps(self._errand.manifest(f"{self._root}/made"))
        action = f"{self._errand.action}?state={self._state}"
        form = (
            f'<form method="post" action="{html.escape(action)}">'
            f'<input type="hidden" name="manifest" value="{html.escape(manifest)}">'
            "<button>Go on to GitHub</button></form>"
        )
        return _page(self._errand.told, form=form, forms=_origin(action))

    async def _made(self, request: Request) -> Response:
        state, code = (request.query_params.get(name, "") for name in ("state", "code"))
        if not self._is_ours(request) or not _same(state, self._state) or not code:
            words = "It does not come from the page that this command opened. Begin there again."
            return _page(Told(title="This is refused", words=(words,)), HTTPStatus.BAD_REQUEST)
        if self._taken:
            return _page(Told(title=_USED), HTTPStatus.GONE)
        self._taken = True
        try:
            told, status = await self._errand.take(code), HTTPStatus.OK
        except ConnectorError as error:
            self._failure = error
            told, status = Told(title="It did not go well", words=(str(error),)), HTTPStatus.BAD_GATEWAY
        # The answer is under way when the server is told to end; it lets what it has begun come to its end.
        asyncio.get_running_loop().call_soon(self._over.set)
        return _page(told, status)

    def _is_ours(self, request: Request) -> bool:
        """Whether the browser was led here by this address, and not by a name that leads to this machine."""
        return request.headers.get("host", "") == urlsplit(self._root).netloc


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode(), wanted.encode())


def _page(told: Told, status: HTTPStatus = HTTPStatus.OK, *, form: str = "", forms: str = "'none'") -> Response:
    nonce = secrets.token_urlsafe(16)
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in told.rows)
    words = "".join(f"<p>{html.escape(one)}</p>" for one in told.words)
    link = f'<p><a href="{html.escape(told.link[0])}">{html.escape(told.link[1])}</a></p>' if told.link else ""
    table = f"<table>{rows}</table>" if rows else ""
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{html.escape(told.title)} · Banksman</title><style nonce="{nonce}">{_STYLE}</style></head>'
        f"<body><main><h1>{html.escape(told.title)}</h1>{table}{words}{link}{form}</main></body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'; form-action {forms}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # The address is not told to GitHub; that a form came from this machine is.
        "Referrer-Policy": "strict-origin",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(text, status, headers)


def _origin(address: str) -> str:
    there = urlsplit(address)
    return f"{there.scheme}://{there.netloc}"
