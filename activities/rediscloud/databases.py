"""The steps on Redis Cloud's databases, and how it is asked by them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from pydantic import SecretStr

from activities.redis.databases import Databases, GrantedDatabases, Seller
from activities.rediscloud import contracts as steps
from connectors.http import Api
from connectors.redis.cloud import Cloud
from connectors.rediscloud.client import DIALECT, RedisCloud, account
from connectors.rediscloud.manifest import MADE

_SHOWS_WITHIN: Final = timedelta(seconds=120)


class RedisCloudDatabases(Databases, steps=steps.DATABASES):
    """What the connectors worker does at Redis Cloud."""


class RedisCloudGrantedDatabases(GrantedDatabases, steps=steps.DATABASES):
    """What the destructive worker does at Redis Cloud."""


def seller(base_url: str) -> Seller:
    """Redis Cloud at an address."""
    api = Api(DIALECT, base_url=base_url)

    @asynccontextmanager
    async def opening(fields: Mapping[str, SecretStr]) -> AsyncGenerator[Cloud]:
        async with api.open(account(fields)) as session:
            yield RedisCloud(session)

    return Seller(steps=steps.DATABASES, opening=opening, logins=MADE, shows_within=_SHOWS_WITHIN)
