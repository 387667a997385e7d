"""Clone and push at the twin: git's smart HTTP protocol, answered by git itself, with a token as the password."""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from connectors.github.git import serve_http
from connectors.github.twin.auth import Authority, InstallationToken

_SERVICES: Final = {"git-upload-pack": "read", "git-receive-pack": "write"}
_END_OF_HEAD: Final = b"\r\n\r\n"
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="GitHub"'}


def git_routes(authority: Authority, repositories: Path) -> list[Route]:
    """The three paths of the protocol."""

    async def answer(request: Request) -> Response:
        path = str(request.path_params["rest"])
        service = request.query_params.get("service", "") if path == "info/refs" else path
        level = _SERVICES.get(service)
        if level is None:
            return PlainTextResponse("not a smart HTTP request\n", status_code=403)
        token = _token(request, authority)
        if token is None:
            return PlainTextResponse("authentication required\n", status_code=401, headers=_CHALLENGE)
        folder = _folder(request, repositories, token)
        if folder is None:
            return PlainTextResponse("repository not found\n", status_code=404)
        if not token.permits("contents", level):
            return PlainTextResponse("the token lacks the permission contents\n", status_code=403)
        return await _cgi(request, folder, repositories, path)

    return [
        Route("/{owner}/{name}.git/{rest:path}", answer, methods=["GET", "POST"]),
    ]


def _token(request: Request, authority: Authority) -> InstallationToken | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return authority.find(password) if user == "x-access-token" else None


def _folder(request: Request, repositories: Path, token: InstallationToken) -> Path | None:
    owner, name = str(request.path_params["owner"]).lower(), str(request.path_params["name"]).lower()
    for folder in repositories.glob("*/*.git"):
        if (folder.parent.name.lower(), folder.stem.lower()) == (owner, name):
            return folder if token.covers(folder.parent.name, folder.stem) else None
    return None


async def _cgi(request: Request, folder: Path, repositories: Path, path: str) -> Response:
    environment = {
        "GIT_PROJECT_ROOT": str(repositories),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{folder.relative_to(repositories)}/{path}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.url.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "REMOTE_USER": "x-access-token",
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
    }
    for header in ("content-length", "content-encoding"):
        if header in request.headers:
            name = "CONTENT_LENGTH" if header == "content-length" else "HTTP_CONTENT_ENCODING"
            environment[name] = request.headers[header]
    sent = asyncio.Event()
    output = serve_http(environment, _body(request, sent))
    head = b""
    async for chunk in output:
        head += chunk
        if _END_OF_HEAD in head:
            break
    else:
        return PlainTextResponse("git ended without an answer\n", status_code=502)
    headers, _, first = head.partition(_END_OF_HEAD)
    parsed = dict(line.split(": ", 1) for line in headers.decode("latin-1").splitlines() if ": " in line)
    status = int(parsed.pop("Status", "200").split()[0])
    return _WhileSending(_rest(first, output), sent, status_code=status, headers=parsed)


class _WhileSending(StreamingResponse):
    """An answer that begins while the request is still being sent, as git's does to a push.

    Starlette looks for a client that hangs up by reading on, and so would take the rest of the request from git.
    """

    def __init__(
        self, content: AsyncGenerator[bytes], sent: asyncio.Event, *, status_code: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(content, status_code=status_code, headers=headers)
        self._sent = sent

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def afterwards() -> Message:
            await self._sent.wait()
            return await receive()

        await super().__call__(scope, afterwards, send)


async def _rest(first: bytes, output: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    # A client that hangs up ends git too, at once.
    async with contextlib.aclosing(output):
        yield first
        async for chunk in output:
            yield chunk


async def _body(request: Request, sent: asyncio.Event) -> AsyncGenerator[bytes]:
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect:
        return  # git then sees a pack that ends too early, and takes nothing of it
    finally:
        sent.set()
