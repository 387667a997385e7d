"""Steps on Redis databases, carried out for whichever provider declares them.

A provider says how it is asked (`Seller`), and makes a class of its own of `Databases` and of `GrantedDatabases`, whose
methods implement the steps that it declares.
"""

import functools
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

from pydantic import BaseModel, SecretStr
from temporalio import activity

from activities.creation import created_for_step
from activities.guard.current_attempt import Use, current_attempt
from activities.guard.granted import GrantedRequest
from activities.guard.withheld import DestructiveSecrets
from activities.redis.contracts import (
    AccessChecked,
    AccessGranted,
    CheckAccessRequest,
    DatabaseDeleted,
    DatabaseMade,
    DatabasePriced,
    DatabaseRequest,
    DatabaseSeen,
    DatabaseSteps,
    DeleteDatabaseParameters,
    ForgetLoginsRequest,
    GrantAccessRequest,
    LoginsForgotten,
    LookAtDatabaseRequest,
    PurchaseDatabaseParameters,
)
from activities.secrets import KeepingTokens, keeper_for_step, secret_for_step
from activities.step import Step, implements
from connectors.creation import Created, Creation, create_once, mark
from connectors.errors import Conflict, NotFound
from connectors.provider import Credential, Secret
from connectors.redis.cloud import Cloud, LastLook, marked, no_look
from connectors.redis.database import Login, check_rights, new_password, ping
from connectors.redis.models import Found, Wanted
from connectors.redis.rights import rule

Method = TypeVar("Method", bound=Callable[..., Coroutine[Any, Any, BaseModel]])
Opening = Callable[[Mapping[str, SecretStr]], AbstractAsyncContextManager[Cloud]]
"""A session with a provider by the fields of one of its secrets."""


@dataclass(frozen=True, kw_only=True)
class Seller:
    """A provider of databases.

    Attributes:
        steps: As it declares them.
        opening: Asks it.
        logins: Where Vault keeps those of consumers, by database and consumer.
        shows_within: How long after a create it may take until its list has what was made.
    """

    steps: DatabaseSteps
    opening: Opening
    logins: Secret
    shows_within: timedelta


class Databases:
    """What the connectors worker does: `class UpstashDatabases(Databases, steps=DATABASES)`.

    Args:
        seller: Whose databases.
        vault: Makes the tokens that read the seller's keys, and that write consumers' logins.
    """

    def __init_subclass__(cls, *, steps: DatabaseSteps) -> None:
        """One provider's: each method implements the step that it declares for it."""
        cls.look = _implementing(steps.look, Databases.look)
        cls.price = _implementing(steps.price, Databases.price)
        cls.create = _implementing(steps.create, Databases.create)
        cls.grant = _implementing(steps.grant, Databases.grant)
        cls.check = _implementing(steps.check, Databases.check)
        cls.forget = _implementing(steps.forget, Databases.forget)

    def __init__(self, seller: Seller, vault: KeepingTokens) -> None:
        self._seller, self._vault = seller, vault

    async def look(self, request: LookAtDatabaseRequest) -> DatabaseSeen:
        """Look at one database."""
        async with (
            secret_for_step(self._vault, _credential(self._seller.steps.look)) as fields,
            self._seller.opening(fields) as cloud,
        ):
            found = await cloud.find(request.database)
        return DatabaseSeen(**found.model_dump())

    async def price(self, request: DatabaseRequest) -> DatabasePriced:
        """Tell what it would cost."""
        async with (
            secret_for_step(self._vault, _credential(self._seller.steps.price)) as fields,
            self._seller.opening(fields) as cloud,
        ):
            found = await cloud.price(request)
        return DatabasePriced(name=_marked(request.name), **found.model_dump())

    async def create(self, request: DatabaseRequest) -> DatabaseMade:
        """See that the goal has exactly one, and that it costs no more than it may."""
        async with (
            secret_for_step(self._vault, _credential(self._seller.steps.create)) as fields,
            self._seller.opening(fields) as cloud,
        ):
            created = await created_for_step(_creation(self._seller, cloud, request, no_look))
        return _made(created)

    async def grant(self, request: GrantAccessRequest) -> AccessGranted:
        """Give a consumer a user of its own, and its password to Vault alone.

        Another attempt makes another password: the newest is both in Vault and at the database.
        """
        rights, password = rule(request.prefix, request.access), new_password()
        async with (
            keeper_for_step(self._vault, _credential(self._seller.steps.grant)) as keeper,
            self._seller.opening(keeper.fields) as cloud,
        ):
            login = await cloud.grant(request.database, request.consumer, rule=rights, password=password)
            kept = await keeper.keep(self._seller.logins, login.fields(), request.database, request.consumer)
        place = login.place
        return AccessGranted(user=login.user, secret=kept.path, endpoint=place.host, port=place.port, tls=place.tls)

    async def check(self, request: CheckAccessRequest) -> AccessChecked:
        """Connect as the consumer does, and see what it can do."""
        names = request.database, request.consumer
        async with secret_for_step(self._vault, _credential(self._seller.steps.check), *names) as fields:
            login = Login.of(fields, path=self._seller.logins.at(*names))
            await ping(login)
            await check_rights(login, prefix=request.prefix, access=request.access)
        return AccessChecked(user=login.user)

    async def forget(self, request: ForgetLoginsRequest) -> LoginsForgotten:
        """Remove from Vault what opened a database that is gone. Safe to repeat."""
        async with (
            keeper_for_step(self._vault, _credential(self._seller.steps.forget)) as keeper,
            self._seller.opening(keeper.fields) as cloud,
        ):
            await _require_gone(cloud, request.database)
            found = await keeper.forget_all(self._seller.logins, request.database)
        return LoginsForgotten(consumers=tuple(found))


class GrantedDatabases:
    """What the destructive worker does, each step by a grant; declared as `Databases` are.

    Args:
        seller: Whose databases.
        secrets: The keys that buy and delete.
    """

    def __init_subclass__(cls, *, steps: DatabaseSteps) -> None:
        """One provider's."""
        cls.purchase = _implementing(steps.purchase, GrantedDatabases.purchase)
        cls.delete = _implementing(steps.delete, GrantedDatabases.delete)

    def __init__(self, seller: Seller, secrets: DestructiveSecrets) -> None:
        self._seller, self._secrets = seller, secrets

    async def purchase(self, request: GrantedRequest) -> DatabaseMade:
        """Make what people approved, once, and at no higher price."""
        wanted = request.approved().parameters_as(PurchaseDatabaseParameters)
        withheld = await self._secrets.read(_credential(self._seller.steps.purchase))
        # A retry may be counted from one again, where somebody reset the step: the grant knows.
        again = current_attempt().use is not Use.FIRST
        async with self._seller.opening(withheld.fields) as cloud:
            creation = _creation(self._seller, cloud, _approved(wanted), withheld.last_look)
            created = await create_once(creation, mark(activity.info().workflow_id or ""), again=again)
        return _made(created)

    async def delete(self, request: GrantedRequest) -> DatabaseDeleted:
        """Delete the database that was approved, by its id and under its name.

        Idempotent by the id: an attempt after a lost answer finds it gone, and is done.
        """
        wanted = request.approved().parameters_as(DeleteDatabaseParameters)
        withheld = await self._secrets.read(_credential(self._seller.steps.delete))
        async with self._seller.opening(withheld.fields) as cloud:
            there = await cloud.delete(wanted.database, name=wanted.resource, last_look=withheld.last_look)
        if not there and current_attempt().use is Use.FIRST:
            raise NotFound(f"there is no database {wanted.resource!r} any more: somebody deleted it")
        return DatabaseDeleted(name=wanted.resource)


def _implementing(step: Step[Any, Any], method: Method) -> Method:
    """A function of the provider's own: what implements a step bears its name. Whether they fit is looked at there."""

    @functools.wraps(method)
    async def carried_out(self: object, request: Any) -> Any:
        return await method(self, request)

    return cast("Method", implements(step)(carried_out))


async def _require_gone(cloud: Cloud, database: str) -> None:
    try:
        await cloud.find(database)
    except NotFound:
        return
    raise Conflict(f"the database {database!r} is there: what opens it stays in Vault until it is deleted")


def _creation(seller: Seller, cloud: Cloud, wanted: Wanted, last_look: LastLook) -> Creation[Found]:
    return Creation(
        what=f"a database {wanted.name!r}",
        find=lambda label: cloud.carrying(wanted, label),
        create=lambda label: cloud.create(wanted, marked(wanted.name, label), last_look=last_look),
        id_of=lambda one: one.id,
        shows_within=seller.shows_within,
    )


def _made(created: Created[Found]) -> DatabaseMade:
    return DatabaseMade(id=created.resource.id, name=created.resource.name, adopted=created.adopted)


def _marked(name: str) -> str:
    return marked(name, mark(activity.info().workflow_id or ""))


def _approved(wanted: PurchaseDatabaseParameters) -> Wanted:
    told = wanted.model_dump(exclude={"resource", "account"})
    return Wanted(name=wanted.resource, subscription=wanted.account, **told)


def _credential(step: Step[Any, Any]) -> Credential:
    if step.credential is None:
        raise TypeError(f"step {step.name!r} declares no credential")
    return step.credential
