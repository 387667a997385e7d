"""What Pulumi's provider asks of the platform: to look at a service by one token, to change it by another."""

import hmac
from typing import Final

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.platform.container import DidNotStart
from deploy.local.platform.model import Wanted
from deploy.local.platform.platform import Exists, Platform, Unknown
from sandbox.errors import SandboxError

_MOST: Final = 4 * 1024 * 1024
_LOOKS: Final = frozenset({"GET", "HEAD"})


def control_app(platform: Platform, *, look: str, change: str) -> Starlette:
    """The interface, for containers of the environment's own runs.

    Args:
        platform: What it is of.
        look: The token that may look.
        change: The token that may do all.
    """

    def require(request: Request) -> None:
        given = request.headers.get("authorization", "").encode()
        allowed = (look, change) if request.method in _LOOKS else (change,)
        if not any(hmac.compare_digest(given, f"Bearer {one}".encode()) for one in allowed):
            raise HTTPException(403, "this token may not do that")

    async def service(request: Request) -> Response:
        require(request)
        name = str(request.path_params["name"])
        if request.method in _LOOKS:
            return JSONResponse(platform.find(name).wanted.model_dump(mode="json", by_alias=True))
        if request.method == "DELETE":
            await platform.delete(name)
            return Response(status_code=204)
        wanted = await _wanted(request, name)
        await (platform.create(wanted) if request.method == "POST" else platform.change(wanted))
        return Response(status_code=204)

    methods = ["GET", "POST", "PUT", "DELETE"]
    return Starlette(
        routes=[Route("/v1/services/{name}", service, methods=methods)],
        exception_handlers={
            HTTPException: _told,
            Unknown: _answering(404, "there is no such service"),
            Exists: _answering(409, "there is another service of that name: take another name"),
            DidNotStart: _answering(422),
            SandboxError: _answering(503),
        },
    )


async def _wanted(request: Request, name: str) -> Wanted:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST:
            raise HTTPException(413, "that is longer than 4 MiB")
    try:
        wanted = Wanted.model_validate_json(bytes(body))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        first = problems[0]
        raise HTTPException(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from None
    if wanted.name != name:
        raise HTTPException(422, "the name is another than that of the address")
    return wanted


async def _told(request: Request, error: Exception) -> Response:
    del request
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": error.detail if isinstance(error, HTTPException) else ""}, status_code=status)


def _answering(status: int, words: str = ""):  # noqa: ANN202 - a handler as Starlette wants it
    async def handler(request: Request, error: Exception) -> Response:
        del request
        return JSONResponse({"error": words or str(error)[:1000]}, status_code=status)

    return handler
