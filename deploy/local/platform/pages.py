"""What a browser sees of the platform: each service at `/NAME/`, and which there are at `/`.

What a service sends was written by a stranger, and is shown by a browser that also reaches the other pages of this
machine. So its pages may speak with nobody but themselves, set no cookie (a browser sends those to every port), and
are framed by nobody.
"""

from html import escape
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from deploy.local.platform import line
from deploy.local.platform.model import Service
from deploy.local.platform.platform import Platform, Unknown

RELEASE: Final = "banksman-release"
"""The header that says which release has answered."""
_NEWEST: Final = "@newest"
_MOST_BODY: Final = 1024 * 1024
_PASSED_ON: Final = ("accept", "accept-language", "content-type")
_ALONE: Final = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def pages_app(platform: Platform) -> Starlette:
    """The pages, for browsers on this machine."""

    async def index(request: Request) -> Response:
        del request
        rows = "".join(_row(service) for service in platform.services.values()) or "<p>There is none yet.</p>"
        return HTMLResponse(_INDEX.format(rows=rows), headers=_ALONE)

    async def bare(request: Request) -> Response:
        return RedirectResponse(f"/{_name(request)}/", status_code=307, headers=_ALONE)

    async def service(request: Request) -> Response:
        name, newest = _name(request), False
        if name.endswith(_NEWEST):
            name, newest = name.removesuffix(_NEWEST), True
        try:
            said, release = await platform.answer(name, await _asked(request), newest=newest)
        except Unknown:
            return PlainTextResponse(f"there is no service {name!r}", 404, headers=_ALONE)
        except line.NoAnswer as error:
            return PlainTextResponse(f"the service does not answer: {error}", 502, headers=_ALONE)
        headers = {**_ALONE, RELEASE: release, "content-type": said.kind}
        return Response(said.content(), said.status, headers=headers)

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/", index),
            Route("/{name}", bare),
            Route("/{name}/{rest:path}", service, methods=methods),
        ],
        # A name that leads here from elsewhere is none of ours.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _name(request: Request) -> str:
    return str(request.path_params["name"])


async def _asked(request: Request) -> line.Request:
    body = bytearray()
    async for part in request.stream():
        body += part[: _MOST_BODY - len(body)]
    raw = request.scope["raw_path"].decode("ascii", errors="replace")
    rest = "/" + raw.lstrip("/").partition("/")[2]
    query = f"?{request.url.query}" if request.url.query else ""
    passed = {name: value for name in _PASSED_ON if (value := request.headers.get(name))}
    return line.Request(method=request.method, path=rest + query, headers=passed, body=bytes(body))


_INDEX: Final = """<!doctype html><meta charset="utf-8"><title>Services of this environment</title>
<style>body{{font:16px/1.5 system-ui;margin:3rem auto;max-width:46rem}}code{{background:#eee;padding:0 .3em}}</style>
<h1>Services</h1>{rows}"""


def _row(service: Service) -> str:
    rollout, name = service.rollout, escape(service.wanted.name)
    told = f"<p><a href='/{name}/'>{name}</a>: release <code>{rollout.current.digest}</code>"
    if rollout.newer is not None:
        told += (
            f", and beside it <a href='/{name}{_NEWEST}/'><code>{rollout.newer.digest}</code></a> with "
            f"{rollout.share}&nbsp;% of the traffic, which is watched"
        )
    if rollout.failed:
        told += f"; <code>{rollout.failed}</code> did not hold while it was watched"
    return f"{told}</p>"
