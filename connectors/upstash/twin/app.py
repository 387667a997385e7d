"""Upstash's twin: the calls of the developer API that read databases. What it does not know it answers with 501."""

import base64
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.faults import FaultInjector

_CREDENTIALS: Final = ("password", "rest_token", "read_only_rest_token")


class TwinDatabase(BaseModel):
    """One Redis database, with the fields of the provider's own description that are in every answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_id: str
    database_name: str
    type: str = "paid"
    state: str = "active"
    modifying_state: str = ""
    endpoint: str = "beloved-stallion-58500"
    port: int = 6379
    tls: bool = True
    primary_region: str = "us-east-1"
    read_regions: tuple[str, ...] = ()
    budget: int = 20
    eviction: bool = False
    creation_time: int = 1752649602
    password: str = Field(default="", repr=False)
    rest_token: str = Field(default="", repr=False)
    read_only_rest_token: str = Field(default="", repr=False)


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        listen: host:port.
        email: Of the one account.
        api_key: Its key.
        databases: What the account has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8301"
    email: str
    api_key: str = Field(repr=False)
    databases: tuple[TwinDatabase, ...] = ()


def create_twin(config: TwinConfig) -> Starlette:
    """The twin as an application, with its faults in front."""
    by_id = {one.database_id: one for one in config.databases}

    async def listed(_request: Request) -> Response:
        return JSONResponse([one.model_dump(mode="json") for one in by_id.values()])

    async def one(request: Request) -> Response:
        found = by_id.get(request.path_params["id"])
        if found is None:
            return _problem(404, "database not found")
        told: dict[str, object] = found.model_dump(mode="json")
        hides = request.query_params.get("credentials") == "hide"
        return JSONResponse({name: value for name, value in told.items() if not (hides and name in _CREDENTIALS)})

    async def unknown(request: Request) -> Response:
        return _problem(501, f"this twin does not know {request.method} {request.url.path}")

    def known(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            if not _is_account(request, config):
                return _problem(401, "Unauthorized")
            return await answer(request)

        return asked

    return Starlette(
        routes=[
            Route("/redis/databases", known(listed)),
            Route("/redis/database/{id}", known(one)),
            Route("/{path:path}", known(unknown), methods=["GET", "POST", "PATCH", "PUT", "DELETE"]),
        ],
        middleware=[Middleware(FaultInjector)],
    )


def _is_account(request: Request, config: TwinConfig) -> bool:
    wanted = base64.b64encode(f"{config.email}:{config.api_key}".encode()).decode()
    return secrets.compare_digest(request.headers.get("authorization", "").encode(), f"Basic {wanted}".encode())


def _problem(status: int, message: str) -> Response:
    return JSONResponse({"code": str(status), "message": message}, status_code=status)
