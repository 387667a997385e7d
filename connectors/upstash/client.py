"""Upstash's developer API, as far as it is needed. It documents no limits; a 429 may come all the same.

Facts: the API's own description; answers of a database hold its password and tokens unless they are asked to be hidden.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import SecretStr, TypeAdapter, ValidationError

from connectors.authorities import authorities
from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound, RateLimited, Unavailable
from connectors.upstash.manifest import ACCOUNT
from connectors.upstash.models import Account, Database

_HIDDEN: Final = {"credentials": "hide"}
_Answer = TypeVar("_Answer")
_DATABASES: Final = TypeAdapter(tuple[Database, ...])
_AGENT: Final = "banksman"
_TIMEOUT: Final = 10.0
"""Seconds for each part of a call."""


def account(fields: Mapping[str, SecretStr]) -> Account:
    """The account, as Vault keeps it.

    Raises:
        AuthDenied: A field is missing there.
    """
    if missing := sorted({"email", "api_key"} - fields.keys()):
        raise AuthDenied(f"Vault's secret {ACCOUNT.path!r} lacks {', '.join(missing)}: put them there")
    return Account(email=fields["email"].get_secret_value(), api_key=fields["api_key"])


class Upstash:
    """One account, for as long as `open` lasts.

    Args:
        http: Knows the address and the account.
    """

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @classmethod
    @asynccontextmanager
    async def open(cls, account: Account, *, base_url: str) -> AsyncGenerator["Upstash"]:
        """Connections that end with the block.

        Args:
            account: Who calls.
            base_url: The API, or its twin.
        """
        auth = httpx.BasicAuth(account.email, account.api_key.get_secret_value())
        async with httpx.AsyncClient(
            base_url=base_url, auth=auth, timeout=_TIMEOUT, verify=authorities(), headers={"User-Agent": _AGENT}
        ) as http:
            yield cls(http)

    async def database(self, name: str) -> Database:
        """The one database of that name or id.

        Raises:
            NotFound: The account has none.
            InvalidRequest: Several have that name.
            ConnectorError: As the tree in `connectors/errors.py` says.
        """
        # The list has every database's password: it is read for names alone, and what is told comes from the second.
        found = [one for one in await self._list() if name in {one.database_id, one.database_name}]
        if not found:
            raise NotFound(f"Upstash has no database {name!r} in this account: look at its name in the console")
        if len(found) > 1:
            ids = ", ".join(one.database_id for one in found)
            raise InvalidRequest(f"Upstash has {len(found)} databases called {name!r}: name one by its id, of {ids}")
        answer = await self._get(f"redis/database/{quote(found[0].database_id, safe='')}", _HIDDEN)
        return _read(TypeAdapter(Database), answer)

    async def _list(self) -> tuple[Database, ...]:
        return _read(_DATABASES, await self._get("redis/databases", {}))

    async def _get(self, path: str, query: dict[str, str]) -> bytes:
        try:
            answer = await self._http.get(path, params=query)
        except httpx.HTTPError as error:
            raise Unavailable(f"Upstash does not answer ({type(error).__name__}); it is tried again") from error
        if answer.is_success:
            return answer.content
        raise _refused(answer)


def _refused(answer: httpx.Response) -> ConnectorError:
    match answer.status_code:
        case 401 | 403:
            return AuthDenied(
                "Upstash refuses the account: put e-mail and API key into Vault at banksman/upstash/account"
            )
        case 404:
            return NotFound("Upstash has no such database any more: it went while it was looked at")
        case 429:
            after = answer.headers.get("retry-after", "")
            return RateLimited(
                "Upstash asks to slow down", retry_after=timedelta(seconds=int(after)) if after.isdigit() else None
            )
        case code if code >= httpx.codes.INTERNAL_SERVER_ERROR:
            return Unavailable(f"Upstash answers {code}; it is tried again")
        case code:
            return InvalidRequest(f"Upstash refuses the request with {code}")


def _read(model: TypeAdapter[_Answer], content: bytes) -> _Answer:
    # Raised after the block: an error within one keeps pydantic's, which quotes the answer, and with it passwords.
    try:
        return model.validate_json(content)
    except ValidationError as error:
        problems = error.error_count()
    raise Unavailable(f"Upstash answers what is no answer ({problems} problems); it is tried again")
