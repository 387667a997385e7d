"""Upstash's developer API, as far as it is needed. It documents no limits; a 429 may come all the same.

Facts: the API's own description; answers of a database hold its password and tokens unless they are asked to be hidden.
"""

from collections.abc import Mapping
from typing import Final

import httpx
from pydantic import SecretStr

from connectors.errors import AuthDenied, InvalidRequest, NotFound
from connectors.http import Call, Dialect, Session
from connectors.upstash.manifest import ACCOUNT, UPSTASH
from connectors.upstash.models import Database
from connectors.upstash.operations import GET_DATABASE, LIST_DATABASES

DIALECT: Final = Dialect(provider=UPSTASH, secret=ACCOUNT)
_HIDDEN: Final = {"credentials": "hide"}


def account(fields: Mapping[str, SecretStr]) -> httpx.Auth:
    """Who calls, as Vault keeps it; only native accounts can.

    Raises:
        AuthDenied: A field is missing there.
    """
    if missing := sorted({"email", "api_key"} - fields.keys()):
        raise AuthDenied(f"Vault's secret {ACCOUNT.path!r} lacks {', '.join(missing)}: put them there")
    return httpx.BasicAuth(fields["email"].get_secret_value(), fields["api_key"].get_secret_value())


async def find_database(session: Session, name: str) -> Database:
    """The one database of that name or id.

    Raises:
        NotFound: The account has none.
        InvalidRequest: Several have that name.
        ConnectorError: As the tree in `connectors/errors.py` says.
    """
    # The list has every database's password: it is read for names alone, and what is told comes from the second.
    listed = await session.ask(Call(LIST_DATABASES, "the databases"))
    found = [one for one in listed if name in {one.database_id, one.database_name}]
    if not found:
        raise NotFound(f"Upstash has no database {name!r} in this account: look at its name in the console")
    if len(found) > 1:
        ids = ", ".join(one.database_id for one in found)
        raise InvalidRequest(f"Upstash has {len(found)} databases called {name!r}: name one by its id, of {ids}")
    gone = "Upstash has no such database any more: it went while it was looked at"
    path = {"database": found[0].database_id}
    return await session.ask(Call(GET_DATABASE, f"the database {name!r}", path=path, query=_HIDDEN, missing=gone))
