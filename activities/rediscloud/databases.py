"""The steps on Redis Cloud's databases, and how it is asked by them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from pydantic import SecretStr

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
    GrantAccessRequest,
    LookAtDatabaseRequest,
)
from activities.redis.databases import Databases, GrantedDatabases, Seller
from activities.rediscloud import contracts as steps
from activities.secrets import KeepingTokens
from activities.step import implements
from connectors.http import Api
from connectors.redis.cloud import Cloud
from connectors.rediscloud.client import DIALECT, RedisCloud, account
from connectors.rediscloud.manifest import MADE

_SHOWS_WITHIN: Final = timedelta(seconds=120)


class RedisCloudDatabases:
    """What the connectors worker does at Redis Cloud.

    Args:
        seller: As `seller` makes it.
        vault: Makes the steps' tokens.
    """

    def __init__(self, seller: Seller, vault: KeepingTokens) -> None:
        self._databases = Databases(seller, vault)

    @implements(steps.LOOK_AT_DATABASE)
    async def look(self, request: LookAtDatabaseRequest) -> DatabaseSeen:
        """Look at one database."""
        return await self._databases.look(request)

    @implements(steps.PRICE_DATABASE)
    async def price(self, request: DatabaseRequest) -> DatabasePriced:
        """Tell what it would cost."""
        return await self._databases.price(request)

    @implements(steps.CREATE_DATABASE)
    async def create(self, request: DatabaseRequest) -> DatabaseMade:
        """See that the goal has exactly one, and that it costs no more than it may."""
        return await self._databases.create(request)

    @implements(steps.GRANT_ACCESS)
    async def grant(self, request: GrantAccessRequest) -> AccessGranted:
        """Give a consumer a user of its own."""
        return await self._databases.grant(request)

    @implements(steps.CHECK_ACCESS)
    async def check(self, request: CheckAccessRequest) -> AccessChecked:
        """Connect as the consumer does, and see what it can do."""
        return await self._databases.check(request)


class RedisCloudGrantedDatabases:
    """What the destructive worker does at Redis Cloud.

    Args:
        seller: As `seller` makes it.
        secrets: The keys that buy and delete.
    """

    def __init__(self, seller: Seller, secrets: DestructiveSecrets) -> None:
        self._databases = GrantedDatabases(seller, secrets)

    @implements(steps.PURCHASE_DATABASE)
    async def purchase(self, request: GrantedRequest) -> DatabaseMade:
        """Make what people approved, once, and at no higher price."""
        return await self._databases.purchase(request)

    @implements(steps.DELETE_DATABASE)
    async def delete(self, request: GrantedRequest) -> DatabaseDeleted:
        """Delete the database that was approved, by its id and under its name."""
        return await self._databases.delete(request)


def seller(base_url: str) -> Seller:
    """Redis Cloud at an address."""
    api = Api(DIALECT, base_url=base_url)

    @asynccontextmanager
    async def opening(fields: Mapping[str, SecretStr]) -> AsyncGenerator[Cloud]:
        async with api.open(account(fields)) as session:
            yield RedisCloud(session)

    return Seller(steps=steps.DATABASES, opening=opening, logins=MADE, shows_within=_SHOWS_WITHIN)
