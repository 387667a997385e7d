"""The steps on Upstash's databases, and how it is asked by them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from pydantic import SecretStr

from activities.redis.databases import Databases, GrantedDatabases, Seller
from activities.upstash import contracts as steps
from connectors.http import Api
from connectors.redis.cloud import Cloud
from connectors.upstash.client import DIALECT, UpstashCloud, account
from connectors.upstash.manifest import MADE

_SHOWS_WITHIN: Final = timedelta(seconds=60)


class UpstashDatabases(Databases, steps=steps.DATABASES):
    """What the connectors worker does at Upstash."""


class UpstashGrantedDatabases(GrantedDatabases, steps=steps.DATABASES):
    """What the destructive worker does at Upstash."""


def seller(base_url: str) -> Seller:
    """Upstash at an address."""
    api = Api(DIALECT, base_url=base_url)

    @asynccontextmanager
    async def opening(fields: Mapping[str, SecretStr]) -> AsyncGenerator[Cloud]:
        async with api.open(account(fields)) as session:
            yield UpstashCloud(session)

    return Seller(steps=steps.DATABASES, opening=opening, logins=MADE, shows_within=_SHOWS_WITHIN)
