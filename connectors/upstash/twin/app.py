"""Upstash's twin: the calls of the developer API that read databases."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.twins.app import Twin
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem, basic, carries
from connectors.upstash.operations import GET_DATABASE, LIST_DATABASES


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
    password: str | None = Field(default=None, repr=False)
    rest_token: str | None = Field(default=None, repr=False)
    read_only_rest_token: str | None = Field(default=None, repr=False)

    def hidden(self) -> "TwinDatabase":
        """Without what opens it."""
        return self.model_copy(update={"password": None, "rest_token": None, "read_only_rest_token": None})


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


class _Shown(BaseModel):
    credentials: Literal["show", "hide"] = "show"


class _Upstash(Twin):
    def __init__(self, config: TwinConfig, clock: TwinClock | None) -> None:
        super().__init__(clock=clock)
        self._account = basic(config.email, config.api_key)
        self._databases = {one.database_id: one for one in config.databases}

    def authorise(self, request: Request) -> None:
        if not carries(request, "authorization", self._account):
            raise Problem(401, "Unauthorized")

    def problem(self, problem: Problem) -> JsonValue:
        return {"code": str(problem.status), "message": problem.message}

    @handles(LIST_DATABASES)
    def databases(self) -> list[TwinDatabase]:
        return list(self._databases.values())

    @handles(GET_DATABASE)
    def database(self, database: str, query: _Shown) -> TwinDatabase:
        if (found := self._databases.get(database)) is None:
            raise Problem(404, "database not found")
        return found.hidden() if query.credentials == "hide" else found


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, with its faults in front."""
    return _Upstash(config, clock).application()
