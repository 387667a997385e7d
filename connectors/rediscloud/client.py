"""Redis Cloud's REST API, as far as it is needed: databases of subscriptions that are there, and their users.

Facts: the API's own description and examples; 400 requests a minute; a 429 says as well that too much changes at once.
A dry run tells what the whole subscription would cost, so that a database's price is what it adds.
"""

import asyncio
import math
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, NamedTuple

import httpx
from pydantic import JsonValue, SecretStr, ValidationError

from connectors.errors import AuthDenied, Conflict, InvalidRequest, MalformedAnswer, NotFound, Unavailable
from connectors.http import Call, Dialect, HeaderAuth, Operation, Problem, Session, member
from connectors.redis.cloud import LastLook, is_marked
from connectors.redis.database import Login, Place
from connectors.redis.models import Found, Price, Wanted
from connectors.rediscloud.manifest import OWNER, RATE, REDIS_CLOUD
from connectors.rediscloud.models import (
    ChangedUser,
    Database,
    Named,
    NewDatabase,
    NewRole,
    NewRule,
    NewUser,
    PricePart,
    Pricing,
    RoleDatabase,
    RoleRule,
    Task,
)
from connectors.rediscloud.operations import (
    CREATE_DATABASE,
    CREATE_ROLE,
    CREATE_RULE,
    CREATE_USER,
    DELETE_DATABASE,
    DELETE_ROLE,
    DELETE_RULE,
    DELETE_USER,
    GET_CERTIFICATE,
    GET_DATABASE,
    GET_PRICING,
    LIST_DATABASES,
    LIST_ROLES,
    LIST_RULES,
    LIST_SUBSCRIPTIONS,
    LIST_USERS,
    PRICE_DATABASE,
    UPDATE_RULE,
    UPDATE_USER,
)
from connectors.rediscloud.tasks import Sleep, Tasks

PAGE: Final = 100
_MOST_PAGES: Final = 100
_HOURS: Final = {"hour": 744, "month": 1}
_ID: Final = re.compile(r"(\d{1,10})-(\d{1,10})")
_MB_OF_A_GB: Final = 1024
_LEAST_GB: Final = 0.1
_USER_LOOKS: Final = 60
_OURS: Final = "banksman-"


def _problem(body: JsonValue) -> Problem:
    told = member(body, "error")
    return Problem(*(str(one or "") for one in (told, member(body, "message") or member(body, "description"))))


DIALECT: Final = Dialect(
    provider=REDIS_CLOUD,
    secret=OWNER,
    problem=_problem,
    rate=RATE,
)


class DatabaseId(NamedTuple):
    """A database's id is one within its subscription; told as `1206-51`."""

    subscription: str
    database: str

    def __str__(self) -> str:
        """As it is told."""
        return f"{self.subscription}-{self.database}"

    @property
    def path(self) -> dict[str, str]:
        """For an operation on it."""
        return self._asdict()

    @classmethod
    def read(cls, text: str) -> "DatabaseId | None":
        """The id, or None where the text is none."""
        found = _ID.fullmatch(text)
        return cls(found[1], found[2]) if found else None


def account(fields: Mapping[str, SecretStr]) -> httpx.Auth:
    """Who calls, as Vault keeps it.

    Raises:
        AuthDenied: A field is missing there.
    """
    if missing := sorted({"api_key", "secret_key"} - fields.keys()):
        raise AuthDenied(f"Vault's secrets {OWNER.path.partition('/')[0]!r} lack {', '.join(missing)}: put them there")
    names = {"x-api-key": "api_key", "x-api-secret-key": "secret_key"}
    return HeaderAuth({header: fields[name].get_secret_value() for header, name in names.items()})


class RedisCloud:
    """See `connectors.redis.cloud.Cloud`.

    Args:
        session: Asks.
        sleep: Waits between two looks.
    """

    def __init__(self, session: Session, sleep: Sleep = asyncio.sleep) -> None:
        self._session, self._sleep = session, sleep
        self._tasks = Tasks(session, sleep)

    async def price(self, wanted: Wanted) -> Price:
        """What it adds to its subscription's price, by a dry run."""
        subscription = await self._subscription(wanted)
        return await self._price(subscription, wanted, wanted.name)

    async def carrying(self, wanted: Wanted, mark: str) -> Sequence[Found]:
        """Those of its subscription."""
        subscription = await self._subscription(wanted)
        return [found(subscription, one) async for one in self.databases(subscription) if is_marked(one.name, mark)]

    async def create(self, wanted: Wanted, name: str, *, last_look: LastLook) -> Found:
        """Processed, and then provisioned for some minutes."""
        subscription = await self._subscription(wanted)
        price = await self._price(subscription, wanted, name)
        if price.usd_cents > 100 * wanted.most_usd:
            raise InvalidRequest(
                f"a database {name!r} would cost {price.usd_cents / 100:.2f} USD in a month, and may cost "
                f"{wanted.most_usd}: nothing was made"
            )
        await last_look()
        call = Call(
            CREATE_DATABASE,
            f"a database {name!r}",
            path={"subscription": subscription},
            body=_body(wanted, name, dry_run=False),
        )
        task = await self._tasks.done(call)
        made = str(task.response.resource_id) if task.response and task.response.resource_id else ""
        if not made:
            return await self._named(subscription, name)
        return Found(id=str(DatabaseId(subscription, made)), name=name, state="pending")

    async def find(self, name: str) -> Found:
        """By its id, or by its name in any subscription."""
        if (given := DatabaseId.read(name)) is not None:
            return found(given.subscription, await self._database(given, name))
        listed = await self._session.ask(Call(LIST_SUBSCRIPTIONS, "the subscriptions"))
        there = [
            found(str(subscription.id), one)
            for subscription in listed.subscriptions
            async for one in self.databases(str(subscription.id))
            if one.name == name
        ]
        if not there:
            raise NotFound(f"Redis Cloud has no database {name!r} in this account: look at its name in the console")
        if len(there) > 1:
            ids = ", ".join(one.id for one in there)
            raise InvalidRequest(
                f"Redis Cloud has {len(there)} databases called {name!r}: name one by its id, of {ids}"
            )
        return there[0]

    async def grant(self, database: str, consumer: str, *, rule: str, password: SecretStr) -> Login:
        """By a rule, a role and a user of its own, with the database in their names: all three are the account's."""
        where = _required(database)
        place = await self._place(where)
        name = f"{_OURS}{consumer}-{where}"
        await self._rule(name, rule)
        roles = await self._session.ask(Call(LIST_ROLES, "the roles"))
        if all(one.name != name for one in roles.roles):
            at = RoleDatabase(subscription_id=int(where.subscription), database_id=int(where.database))
            body = NewRole(name=name, redis_rules=(RoleRule(rule_name=name, databases=(at,)),))
            await self._made(Call(CREATE_ROLE, f"a role {name!r}", body=body))
        await self._user(name, password)
        return Login(place=place, user=name, password=password)

    async def delete(self, database: str, *, name: str, last_look: LastLook) -> bool:
        """With the users, roles and rules that were made for it."""
        where, what = _required(database), f"the database {name!r}"
        try:
            there = await self._database(where, name)
            if there.name != name:
                raise Conflict(f"the database {name!r} is called {there.name!r} by now: it is kept")
            await last_look()
            await self._tasks.done(Call(DELETE_DATABASE, what, path=where.path))
            was = True
        except NotFound:
            was = False
        await self._forget(where, last_look)
        return was

    async def _price(self, subscription: str, wanted: Wanted, name: str) -> Price:
        path = {"subscription": subscription}
        now = await self._session.ask(Call(GET_PRICING, f"the price of the subscription {subscription!r}", path=path))
        body = _body(wanted, name, dry_run=True)
        task = await self._tasks.done(Call(PRICE_DATABASE, f"the price of a database {name!r}", path=path, body=body))
        told = task.response.resource if task.response else None
        # Raised after the block: an error within one keeps pydantic's, which quotes the answer.
        try:
            then = Pricing.model_validate(told or {})
        except ValidationError:
            then = Pricing()
        if not then.pricing:
            raise MalformedAnswer(f"Redis Cloud's dry run for {name!r} tells no price; it is tried again")
        added = max(0, _cents(then.pricing) - _cents(now.pricing))
        lines = [
            f"{one.quantity} {one.quantity_measurement} ({one.type}) at {one.price_per_unit} USD per {one.price_period}"
            for one in then.pricing
        ]
        return Price(usd_cents=added, lines=("Its subscription would then have:", *lines))

    async def _subscription(self, wanted: Wanted) -> str:
        """The id of the one that is wanted."""
        listed = await self._session.ask(Call(LIST_SUBSCRIPTIONS, "the subscriptions"))
        there = [one for one in listed.subscriptions if wanted.subscription in {str(one.id), one.name}]
        if len(there) != 1:
            many = f"{len(there)} subscriptions" if there else "no subscription"
            raise InvalidRequest(f"Redis Cloud has {many} called {wanted.subscription!r}: name one by its id")
        return str(there[0].id)

    async def databases(self, subscription: str) -> AsyncGenerator[Database]:
        """Those of a subscription, by its id.

        Raises:
            ConnectorError: By the tree.
        """
        for number in range(_MOST_PAGES):
            query = {"offset": str(number * PAGE), "limit": str(PAGE)}
            what = f"the databases of the subscription {subscription!r}"
            asked = Call(LIST_DATABASES, what, path={"subscription": subscription}, query=query)
            try:
                page = await self._session.ask(asked)
            except NotFound:
                return  # so it says of a subscription without databases, and of a page behind the last
            listed = [one for part in page.subscription for one in part.databases]
            for one in listed:
                yield one
            if len(listed) < PAGE:
                return
        raise MalformedAnswer(f"the list of the databases of {subscription!r} does not end: it is not read on")

    async def _named(self, subscription: str, name: str) -> Found:
        async for one in self.databases(subscription):
            if one.name == name:
                return found(subscription, one)
        raise Unavailable(f"Redis Cloud made a database {name!r} and does not list it yet; it is looked for again")

    async def _database(self, where: DatabaseId, name: str) -> Database:
        gone = f"Redis Cloud has no database {name!r}"
        return await self._session.ask(Call(GET_DATABASE, f"the database {name!r}", path=where.path, missing=gone))

    async def _place(self, where: DatabaseId) -> Place:
        there = await self._database(where, str(where))
        host, _, port = (there.public_endpoint or "").rpartition(":")
        if not host or not port.isdecimal():
            raise Unavailable(f"the database {str(where)!r} has no public endpoint yet; it is looked for again")
        ca = ""
        if there.security.enable_tls:
            asked = Call(GET_CERTIFICATE, f"the certificate of {str(where)!r}", path=where.path)
            ca = (await self._session.ask(asked)).public_certificate_pem_string
        return Place(host=host, port=int(port), tls=there.security.enable_tls, ca=ca)

    async def _rule(self, name: str, rule: str) -> None:
        rules = await self._session.ask(Call(LIST_RULES, "the rules"))
        there = next((one for one in rules.redis_rules if one.name == name), None)
        body = NewRule(name=name, redis_rule=rule)
        if there is None:
            await self._made(Call(CREATE_RULE, f"a rule {name!r}", body=body))
        elif there.acl.split() != rule.split():
            await self._tasks.done(Call(UPDATE_RULE, f"the rule {name!r}", path={"one": str(there.id)}, body=body))

    async def _user(self, name: str, password: SecretStr) -> None:
        users = await self._session.ask(Call(LIST_USERS, "the users"))
        there = next((one for one in users.users if one.name == name), None)
        word = password.get_secret_value()
        if there is None:
            body = NewUser(name=name, role=name, password=word)
            await self._made(Call(CREATE_USER, f"a user {name!r}", body=body))
        else:
            change, path = ChangedUser(role=name, password=word), {"one": str(there.id)}
            await self._tasks.done(Call(UPDATE_USER, f"the user {name!r}", path=path, body=change))
        for _ in range(_USER_LOOKS):
            users = await self._session.ask(Call(LIST_USERS, "the users"))
            if any(one.name == name and one.status == "active" for one in users.users):
                return
            await self._sleep(1)
        raise Unavailable(f"the user {name!r} is not active at Redis Cloud yet; it is looked for again")

    async def _made(self, call: Call[Task]) -> None:
        """A rule, a role or a user; one that is there by now was made by an attempt before, and is looked at anew."""
        try:
            await self._tasks.done(call)
        except Conflict as error:
            raise Unavailable(f"{call.what} is there already and was not listed; it is looked for again") from error

    async def _forget(self, where: DatabaseId, last_look: LastLook) -> None:
        """Users first: a role that somebody has is not deleted, nor a rule that a role has."""
        users = (await self._session.ask(Call(LIST_USERS, "the users"))).users
        await self._all_gone(DELETE_USER, "user", _of(where, users), last_look)
        roles = (await self._session.ask(Call(LIST_ROLES, "the roles"))).roles
        await self._all_gone(DELETE_ROLE, "role", _of(where, roles), last_look)
        rules = (await self._session.ask(Call(LIST_RULES, "the rules"))).redis_rules
        await self._all_gone(DELETE_RULE, "rule", _of(where, rules), last_look)

    async def _all_gone(
        self, operation: Operation[Task], kind: str, ids: Mapping[str, int], last_look: LastLook
    ) -> None:
        for name, number in ids.items():
            await last_look()
            try:
                await self._tasks.done(Call(operation, f"the {kind} {name!r}", path={"one": str(number)}))
            except NotFound:
                continue


def found(subscription: str, database: Database) -> Found:
    """The same, as every provider's is told."""
    host, _, port = (database.public_endpoint or "").rpartition(":")
    return Found(
        id=str(DatabaseId(subscription, str(database.database_id))),
        name=database.name,
        state=database.status,
        endpoint=host,
        port=int(port) if port.isdecimal() else None,
        tls=database.security.enable_tls,
        primary_region=database.region,
        plan=f"subscription {subscription}",
        eviction=database.data_eviction_policy != "noeviction",
        used_mb=database.memory_used_in_mb,
    )


def _of(where: DatabaseId, named: Sequence[Named]) -> Mapping[str, int]:
    """Those that were made for a database, by their names."""
    return {one.name: one.id for one in named if one.name.startswith(_OURS) and one.name.endswith(f"-{where}")}


def _body(wanted: Wanted, name: str, *, dry_run: bool) -> NewDatabase:
    return NewDatabase(
        dry_run=dry_run,
        name=name,
        dataset_size_in_gb=max(_LEAST_GB, round(wanted.memory_mb / _MB_OF_A_GB, 2)),
        data_eviction_policy="allkeys-lru" if wanted.eviction else "noeviction",
    )


def _cents(parts: Sequence[PricePart]) -> int:
    """Of a month, rounded up.

    Raises:
        MalformedAnswer: The price is in what nobody here can count.
    """
    total = 0.0
    for one in parts:
        hours = _HOURS.get(one.price_period.lower())
        if hours is None or one.price_currency != "USD":
            raise MalformedAnswer(f"Redis Cloud tells a price in {one.price_currency} by the {one.price_period!r}")
        total += 100 * hours * one.quantity * one.price_per_unit
    return math.ceil(round(total, 6))


def _required(database: str) -> DatabaseId:
    if (found_id := DatabaseId.read(database)) is None:
        raise InvalidRequest(f"{database!r} is no id of a database at Redis Cloud; write it as in 1206-51")
    return found_id
