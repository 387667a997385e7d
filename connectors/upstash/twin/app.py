"""Upstash's twin: the calls of the developer API on databases, and a Valkey server for each that is made.

Its servers speak no TLS, and it says so, whatever it is asked for.
"""

import secrets
import uuid
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.twins.app import Twin
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem, basic, carries
from connectors.twins.valkey import HOST, Valkey
from connectors.upstash.operations import (
    CREATE_DATABASE,
    DELETE_DATABASE,
    GET_DATABASE,
    LIST_DATABASES,
)


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
        destroyer: Another of its keys; Upstash's may all do everything.
        databases: What the account has.
        serves: Whether there is a server behind those, too, from when somebody asks for what opens one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8301"
    email: str
    api_key: str = Field(repr=False)
    destroyer: str = Field(default="", repr=False)
    databases: tuple[TwinDatabase, ...] = ()
    serves: bool = False


class _Shown(BaseModel):
    credentials: Literal["show", "hide"] = "show"


Region = Literal[
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "sa-east-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "af-south-1",
    "us-central1",
    "us-east4",
    "europe-west1",
    "asia-northeast1",
]


class _New(BaseModel):
    """What is asked for, with what our own client leaves out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database_name: str
    platform: Literal["aws", "gcp"]
    primary_region: Region
    read_regions: tuple[Region, ...] = ()
    plan: str = "payg"
    budget: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 20
    eviction: bool = False


class _Upstash(Twin):
    """The account; `kept` and `servers`, by the databases' ids, are its tests' to look at.

    Args:
        config: How it is.
        clock: Its clock.
    """

    def __init__(self, config: TwinConfig, clock: TwinClock | None) -> None:
        super().__init__(clock=clock)
        self._serves = config.serves
        self._keys = [basic(config.email, one) for one in (config.api_key, config.destroyer) if one]
        self.kept = {one.database_id: one for one in config.databases}
        self.servers: dict[str, Valkey] = {}

    def stop(self) -> None:
        """End its servers."""
        for one in self.servers.values():
            one.stop()

    def authorise(self, request: Request) -> None:
        if not any(carries(request, "authorization", one) for one in self._keys):
            raise Problem(401, "Unauthorized")

    def problem(self, problem: Problem) -> JsonValue:
        return {"code": str(problem.status), "message": problem.message}

    @handles(LIST_DATABASES)
    def databases(self) -> list[TwinDatabase]:
        return list(self.kept.values())

    @handles(GET_DATABASE)
    async def database(self, database: str, query: _Shown) -> TwinDatabase:
        found = self._found(database)
        if self._serves and query.credentials == "show":
            found = self._served(found)
        if (server := self.servers.get(database)) is not None:
            await server.ready()
        return found.hidden() if query.credentials == "hide" else found

    @handles(CREATE_DATABASE)
    def create(self, body: _New) -> TwinDatabase:
        number, password = str(uuid.uuid4()), secrets.token_hex(16)
        server = self.servers[number] = Valkey(SecretStr(password))
        made = TwinDatabase(
            database_id=number,
            database_name=body.database_name,
            type="free" if body.plan == "free" else "payg" if body.plan == "payg" else "paid",
            endpoint=HOST,
            port=server.port,
            tls=False,
            primary_region=body.primary_region,
            read_regions=body.read_regions,
            budget=body.budget,
            eviction=body.eviction,
            password=password,
            rest_token=secrets.token_hex(16),
            read_only_rest_token=secrets.token_hex(16),
        )
        self.kept[number] = made
        return made

    @handles(DELETE_DATABASE)
    def delete(self, database: str) -> str:
        self._found(database)
        del self.kept[database]
        if (server := self.servers.pop(database, None)) is not None:
            server.stop()
        return "OK"

    def _served(self, found: TwinDatabase) -> TwinDatabase:
        """With a server behind it."""
        if found.database_id in self.servers or found.password is None:
            return found
        server = self.servers[found.database_id] = Valkey(SecretStr(found.password))
        at = {"endpoint": HOST, "port": server.port, "tls": False}
        self.kept[found.database_id] = served = found.model_copy(update=at)
        return served

    def _found(self, database: str) -> TwinDatabase:
        if (found := self.kept.get(database)) is None:
            raise Problem(404, "database not found")
        return found


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, with its faults in front."""
    return _Upstash(config, clock).application()
