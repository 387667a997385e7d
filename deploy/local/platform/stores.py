"""Asks databases, caches and collections for the services that need them, each with a login that Vault keeps for it.

A login is read for each question: it may be another by now, for a deployment gives a consumer a new password. No
service sees one.
"""

import asyncio
import functools
import json
import re
from collections.abc import Mapping
from typing import Annotated, Final, Never

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from connectors.authorities import authorities
from connectors.errors import ConnectorError, InvalidRequest, NotFound
from connectors.postgres.session import Server, connected
from connectors.redis.database import Login, run
from connectors.vault.kv import read_kv
from connectors.vault.transport import Transport
from deploy.local.platform import asking
from deploy.local.platform.consumers import LoginMissing, database_path, newest_login, reader_path
from deploy.local.platform.needs import Asked
from deploy.local.platform.outward import Answering, Reply
from workflows.manifest.needs import NeonNeed, QdrantNeed, RedisNeed

_SECONDS: Final = 15.0
_RENEWED_EVERY: Final = 3600.0
_SEARCH: Final = re.compile(r"/collections/[A-Za-z0-9_-]{1,100}/points/(query|count|scroll)")
_log = structlog.get_logger("banksman.platform")


class _Statement(BaseModel):
    """What a database is asked: one statement, by a login that reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: Annotated[str, Field(min_length=1, max_length=100_000)]


_COMMAND: Final = TypeAdapter(Annotated[list[str | int], Field(min_length=1, max_length=100)])


class Stores:
    """What services need.

    Args:
        vault: Where logins are.
        token: Reads those of consumers.
    """

    def __init__(self, vault: str, token: SecretStr) -> None:
        self._transport, self._token = Transport(vault), token

    def answering(self, needs: Mapping[str, Asked]) -> Answering:
        """Answers one release, which has these needs."""
        return functools.partial(self.ask, needs)

    async def ask(self, needs: Mapping[str, Asked], path: str, body: bytes) -> Reply:
        """Ask one of them. Whatever goes wrong is an answer.

        Args:
            needs: Those of who asks, by name.
            path: The need's name, and for a collection what lies behind it.
            body: JSON.
        """
        name, slash, rest = path.removeprefix("/").partition("/")
        need = needs.get(name)
        if need is None:
            return _refused(404, f"this service has no need {name!r}: its manifest names {', '.join(needs)}")
        try:
            async with asyncio.timeout(_SECONDS):
                said = await self._asked(need, slash + rest, body)
        except (ValidationError, InvalidRequest, UnicodeDecodeError) as error:
            told = "that is not how it is asked" if isinstance(error, ValueError) else str(error)
            return _refused(400, told)
        except (ConnectorError, LoginMissing, TimeoutError, httpx.HTTPError) as error:
            _log.warning("a need does not answer", need=name, why=str(error) or type(error).__name__)
            told = str(error) if isinstance(error, LoginMissing) else f"{name} does not answer"
            return _refused(503, told)
        return said if len(said.body) <= asking.MOST_BODY else _refused(413, "the answer is longer than 1 MiB")

    async def keep_token(self) -> Never:
        """Renew the token, until cancelled. Where Vault is away it is tried again."""
        while True:
            try:
                await self._transport.call("its own token", self._token, lambda vault: vault.auth.token.renew_self())
            except ConnectorError as error:
                _log.warning("the token that reads logins was not renewed", why=str(error))
            await asyncio.sleep(_RENEWED_EVERY)

    async def _asked(self, need: Asked, path: str, body: bytes) -> Reply:
        match need:
            case NeonNeed():
                return await self._database(need, body)
            case RedisNeed():
                return await self._cache(need, body)
            case QdrantNeed():
                return await self._collection(need, path, body)

    async def _database(self, need: NeonNeed, body: bytes) -> Reply:
        statement = _Statement.model_validate_json(body)
        where, missing = database_path(need)
        try:
            kept = await read_kv(self._transport, self._token, where)
        except NotFound as error:
            raise LoginMissing(missing) from error
        async with connected(Server.of(kept.values["uri"], what=need.name)) as database:
            rows = await database.run(statement.query)
        return Reply(200, json.dumps({"rows": [list(one) for one in rows]}, default=str).encode())

    async def _cache(self, need: RedisNeed, body: bytes) -> Reply:
        command = _COMMAND.validate_json(body)
        path, values = await newest_login(self._transport, self._token, need)
        said = await run(Login.of(values, path=path), *map(str, command))
        return Reply(200, json.dumps({"result": said}, default=str).encode())

    async def _collection(self, need: QdrantNeed, path: str, body: bytes) -> Reply:
        if not _SEARCH.fullmatch(path):
            raise InvalidRequest(f"{path!r} is no search: ask /collections/NAME/points/ and query, count or scroll")
        kept = (await read_kv(self._transport, self._token, reader_path(need))).values
        url, headers = kept["url"].get_secret_value(), {"api-key": kept["api_key"].get_secret_value()}
        async with httpx.AsyncClient(verify=authorities(), timeout=_SECONDS) as client:
            said = await client.post(
                f"{url}{path}", content=body, headers={**headers, "Content-Type": "application/json"}
            )
        return Reply(said.status_code, said.content)


def _refused(status: int, why: str) -> Reply:
    return Reply(status, json.dumps({"error": why[:1000]}).encode())
