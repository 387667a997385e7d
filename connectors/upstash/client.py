"""Upstash's developer API, as far as it is needed. It documents no limits; a 429 may come all the same.

Facts: the API's own description; answers of a database hold its password and tokens unless they are asked to be hidden.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import httpx
from pydantic import SecretStr

from connectors.errors import AuthDenied, Conflict, InvalidRequest, NotFound
from connectors.http import Call, Dialect, Session
from connectors.redis.cloud import LastLook, is_marked
from connectors.redis.database import Login, Place, set_user
from connectors.redis.models import Found, Price, Wanted
from connectors.upstash.manifest import ACCOUNT, UPSTASH
from connectors.upstash.models import Database, NewDatabase, OpenDatabase
from connectors.upstash.operations import (
    CREATE_DATABASE,
    DELETE_DATABASE,
    GET_DATABASE,
    GET_OPEN_DATABASE,
    LIST_DATABASES,
)

DIALECT: Final = Dialect(provider=UPSTASH, secret=ACCOUNT)
_HIDDEN: Final = {"credentials": "hide"}
_GOOGLE: Final = frozenset({"us-central1", "us-east4", "europe-west1", "asia-northeast1"})
_DOMAIN: Final = "upstash.io"


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


class UpstashCloud:
    """See `connectors.redis.cloud.Cloud`. A database costs what it is used, up to its budget.

    Args:
        session: Asks.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def price(self, wanted: Wanted) -> Price:
        """Its budget: what is used beyond it Upstash refuses to serve."""
        _require_region(wanted)
        if wanted.most_usd == 0:
            return Price(usd_cents=0, lines=("The free plan",))
        line = f"Paid as it is used, until Upstash stops it at its budget of {wanted.most_usd} USD in a month"
        return Price(usd_cents=100 * wanted.most_usd, lines=(line,))

    async def carrying(self, wanted: Wanted, mark: str) -> Sequence[Found]:
        """All of the account; a database may be anywhere."""
        del wanted
        listed = await self._session.ask(Call(LIST_DATABASES, "the databases"))
        return [found(one) for one in listed if is_marked(one.database_name, mark)]

    async def create(self, wanted: Wanted, name: str, *, last_look: LastLook) -> Found:
        """Made at once, with TLS."""
        _require_region(wanted)
        body = NewDatabase(
            database_name=name,
            platform="gcp" if wanted.region in _GOOGLE else "aws",
            primary_region=wanted.region,
            plan="payg" if wanted.most_usd else "free",
            budget=wanted.most_usd or None,
            eviction=wanted.eviction,
        )
        await last_look()
        return found(await self._session.ask(Call(CREATE_DATABASE, f"a database {name!r}", body=body)))

    async def find(self, name: str) -> Found:
        """See `find_database`."""
        return found(await find_database(self._session, name))

    async def grant(self, database: str, consumer: str, *, rule: str, password: SecretStr) -> Login:
        """By Redis's own command, as `default`, whose password Upstash shows."""
        asked = Call(GET_OPEN_DATABASE, f"the login of the database {database!r}", path={"database": database})
        opened = await self._session.ask(asked)
        place = _place(opened)
        await set_user(Login(place=place, password=opened.password), user=consumer, password=password, rule=rule)
        return Login(place=place, user=consumer, password=password)

    async def delete(self, database: str, *, name: str, last_look: LastLook) -> bool:
        """With its users, which are its own."""
        path, what = {"database": database}, f"the database {name!r}"
        try:
            there = await self._session.ask(Call(GET_DATABASE, what, path=path, query=_HIDDEN))
            if there.database_name != name:
                raise Conflict(f"the database {name!r} is called {there.database_name!r} by now: it is kept")
            await last_look()
            await self._session.ask(Call(DELETE_DATABASE, what, path=path))
        except NotFound:
            return False
        return True


def found(database: Database) -> Found:
    """The same, as every provider's is told."""
    told = database.model_dump(exclude={"database_id", "database_name", "modifying_state"})
    return Found(id=database.database_id, name=database.database_name, modifying=database.modifying_state, **told)


def _place(database: OpenDatabase) -> Place:
    host = database.endpoint if "." in database.endpoint else f"{database.endpoint}.{_DOMAIN}"
    return Place(host=host, port=database.port, tls=database.tls)


def _require_region(wanted: Wanted) -> None:
    if not wanted.region:
        raise InvalidRequest("Upstash asks where a database shall be: name a region, as in eu-west-1")
