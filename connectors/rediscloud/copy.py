"""What a rehearsal copies of Redis Cloud: subscriptions with their prices and databases, and nothing that opens one."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from connectors.copies import CopiedState
from connectors.http import Call, Session
from connectors.rediscloud.client import RedisCloud
from connectors.rediscloud.manifest import REDIS_CLOUD
from connectors.rediscloud.models import Database, PricePart
from connectors.rediscloud.operations import GET_PRICING, LIST_SUBSCRIPTIONS


class _Copied(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CopiedDatabase(_Copied):
    """One database, as goals look at it."""

    id: int
    name: str
    status: str
    region: str
    endpoint: str | None
    tls: bool
    eviction: str
    used_mb: float | None


class CopiedSubscription(_Copied):
    """What databases are bought in, and what it costs."""

    id: int
    name: str
    status: str
    prices: tuple[PricePart, ...]
    databases: tuple[CopiedDatabase, ...]


class CopiedAccount(CopiedState):
    """The account."""

    provider: ClassVar[str] = REDIS_CLOUD.name

    subscriptions: tuple[CopiedSubscription, ...]

    def told(self) -> str:
        """How much there is."""
        databases = sum(len(one.databases) for one in self.subscriptions)
        return f"{REDIS_CLOUD.name}: {len(self.subscriptions)} subscriptions, {databases} databases"


async def copy_account(session: Session) -> CopiedAccount:
    """Copy it.

    Raises:
        ConnectorError: By the tree.
    """
    cloud, found = RedisCloud(session), list[CopiedSubscription]()
    for one in (await session.ask(Call(LIST_SUBSCRIPTIONS, "the subscriptions"))).subscriptions:
        path = {"subscription": str(one.id)}
        priced = await session.ask(Call(GET_PRICING, f"the price of the subscription {one.id}", path=path))
        databases = [_copied(database) async for database in cloud.databases(str(one.id))]
        found.append(
            CopiedSubscription(
                id=one.id, name=one.name, status=one.status, prices=priced.pricing, databases=tuple(databases)
            )
        )
    return CopiedAccount(of=REDIS_CLOUD.name, subscriptions=tuple(found))


def _copied(one: Database) -> CopiedDatabase:
    return CopiedDatabase(
        id=one.database_id,
        name=one.name,
        status=one.status,
        region=one.region,
        endpoint=one.public_endpoint,
        tls=one.security.enable_tls,
        eviction=one.data_eviction_policy,
        used_mb=one.memory_used_in_mb,
    )
