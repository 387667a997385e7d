"""What a service needs of others, in the words of the goals that provide it. Naming it here makes nothing.

Each need says which goal's input it becomes, and is checked as that: none can ask for what a goal would refuse.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from connectors.qdrant.collection import Distance, FieldKind
from workflows.estuary.goals import CatalogName, FlowStatusInput
from workflows.manifest.words import EnvironmentName, Part, Path, ServiceName
from workflows.neon.goals import LONGEST_HOURS, BranchName, ProjectId
from workflows.qdrant.goals import (
    CloudPlace,
    ClusterName,
    CollectionName,
    FieldName,
    PackageName,
    ProvisionQdrantInput,
    SwitchCollectionInput,
)
from workflows.redis.goals import Consumer, Name, ProvisionRedisInput, RedisProvider, Region, SubscriptionName

_MOST = 50
Environments = Annotated[tuple[EnvironmentName, ...], Field(min_length=1, max_length=_MOST)]


class Need(Part):
    """What all needs say."""

    environments: Environments | None = Field(
        default=None, description="Only in these; in all when left out.", examples=[["production"]]
    )


class NeonNeed(Need):
    """A PostgreSQL database at Neon."""

    name: ServiceName = Field(description="What it is called in this file.", examples=["orders"])
    project: ProjectId = Field(
        description="The project's id, as its settings in Neon's console show it.", examples=["shop-quiet-moon-17281"]
    )
    branch: BranchName | None = Field(
        default=None, description="The branch that is used; the default branch when left out.", examples=["main"]
    )
    database: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Its name in the branch; the first one when left out.", examples=["orders"]
    )
    hours: int = Field(
        default=24,
        ge=1,
        le=LONGEST_HOURS,
        description="How long a copy lasts on which a migration is tried.",
        examples=[2],
    )
    max_cu: float | None = Field(
        default=None, ge=0.25, le=8, description="Compute units of that copy at most.", examples=[1]
    )


class RedisNeed(Need):
    """A Redis database, with a user of its own for each consumer."""

    provider: RedisProvider = Field(description="`upstash` or `rediscloud`.", examples=["upstash"])
    name: Name = Field(description="What it is called.", examples=["shop-sessions"])
    region: Region = Field(
        default="",
        description="Of Upstash: where it is written. At Redis Cloud its subscription's.",
        examples=["eu-west-1"],
    )
    subscription: SubscriptionName = Field(
        default="", description="Of Redis Cloud, by name or id: what it is bought in.", examples=["shop"]
    )
    memory_mb: int = Field(
        default=256, ge=100, le=102_400, description="Of Redis Cloud: how much it holds.", examples=[512]
    )
    eviction: bool = Field(
        default=True, description="Whether it forgets keys when it is full, as a cache does.", examples=[True]
    )
    most_usd: int = Field(ge=0, le=10_000, description="US dollars that it may cost in a month.", examples=[10])
    consumers: Annotated[tuple[Consumer, ...], Field(min_length=1, max_length=20)] = Field(description="Who uses it.")

    def goal(self) -> ProvisionRedisInput:
        """The goal that provides it.

        Raises:
            ValueError: That goal would refuse it.
        """
        return ProvisionRedisInput.model_validate(self.model_dump(exclude={"environments"}))


class CollectionNeed(Part):
    """A collection, by the alias that it is searched by."""

    alias: CollectionName = Field(description="The name that is searched by.", examples=["products"])
    collection: CollectionName = Field(description="What it stands for.", examples=["products-v2"])
    distance: Distance | None = Field(default=None, description="How near two vectors are.", examples=["Cosine"])
    on_disk: bool | None = Field(default=None, description="Whether vectors lie on disk.", examples=[True])
    quantized: bool = Field(
        default=False, description="Whether vectors are also kept as bytes, for less memory.", examples=[True]
    )
    indexes: Annotated[dict[FieldName, FieldKind], Field(max_length=100)] = Field(
        default_factory=dict[str, FieldKind],
        description="Fields to search by, with their kinds.",
        examples=[{"category": "keyword"}],
    )
    fewest_points: int | None = Field(
        default=None,
        ge=0,
        description="How many points it must have; as many as the one before it when left out.",
        examples=[10000],
    )

    def goal(self, cluster: str) -> SwitchCollectionInput:
        """The goal that has the alias stand for it.

        Raises:
            ValueError: That goal would refuse it.
        """
        return SwitchCollectionInput.model_validate({"cluster": cluster, **self.model_dump()})


class QdrantNeed(Need):
    """A Qdrant cluster and its collections."""

    name: ClusterName = Field(description="The cluster's name. Its keys are found in Vault by it.", examples=["shop"])
    provider: CloudPlace = Field(description="The cloud, as Qdrant names it: aws, gcp or azure.", examples=["aws"])
    region: CloudPlace = Field(description="As Qdrant names it.", examples=["eu-central-1"])
    package: PackageName = Field(
        description="The size of a node: the name or the id of a package of that region.", examples=["free2"]
    )
    nodes: int = Field(default=1, ge=1, le=50, description="How many nodes.", examples=[3])
    most_usd: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="US dollars that it may cost in a month; with 0 only a free one is made.",
        examples=[50],
    )
    backup_days: int | None = Field(
        default=None, ge=1, le=365, description="Keep a backup of every night for so many days.", examples=[7]
    )
    collections: Annotated[tuple[CollectionNeed, ...], Field(max_length=_MOST)] = Field(
        default=(), description="What is searched in it."
    )

    def goal(self) -> ProvisionQdrantInput:
        """The goal that provides the cluster.

        Raises:
            ValueError: That goal would refuse it.
        """
        return ProvisionQdrantInput.model_validate(self.model_dump(exclude={"environments", "collections"}))


class FlowNeed(Need):
    """A capture, collection or materialisation at Estuary."""

    name: CatalogName = Field(description="Its name, with the tenant first.", examples=["acme/shop/orders"])
    file: Path = Field(
        description="The Flow catalog's file in this repository that specifies it. Secrets in it are encrypted, as "
        "`flowctl` does it.",
        examples=["flows/orders.flow.yaml"],
    )

    def goal(self) -> FlowStatusInput:
        """The goal that tells how it does.

        Raises:
            ValueError: That goal would refuse it.
        """
        return FlowStatusInput(names=(self.name,))


class Needs(Part):
    """Databases, caches, collections and flows."""

    neon: Annotated[tuple[NeonNeed, ...], Field(max_length=_MOST)] = Field(
        default=(), description="PostgreSQL databases at Neon."
    )
    redis: Annotated[tuple[RedisNeed, ...], Field(max_length=_MOST)] = Field(
        default=(), description="Redis databases, as `ProvisionRedis` provides them."
    )
    qdrant: Annotated[tuple[QdrantNeed, ...], Field(max_length=_MOST)] = Field(
        default=(),
        description="Qdrant clusters and collections, as `ProvisionQdrant` and `SwitchCollection` have them.",
    )
    estuary: Annotated[tuple[FlowNeed, ...], Field(max_length=_MOST)] = Field(
        default=(), description="Captures and materialisations, as `PublishFlow` publishes them."
    )

    def reached(self) -> Iterator[tuple[str, str]]:
        """What stands at providers for them: the provider, and which part of its account, as `GoalInput.reaches`."""
        yield from (("neon", one.project) for one in self.neon)
        for need in (*self.redis, *self.qdrant):
            yield from need.goal().reaches().items()
        yield from (("qdrant", f"@{one.name}") for one in self.qdrant if one.collections)
        yield from (("estuary", f"{one.name.partition('/')[0]}/") for one in self.estuary)

    def named(self) -> Iterator[tuple[str, int, Need, str]]:
        """Every need: where it stands, itself, and its name."""
        for kind, needs in (("neon", self.neon), ("redis", self.redis), ("qdrant", self.qdrant)):
            yield from ((kind, index, one, one.name) for index, one in enumerate(needs))
        yield from (("estuary", index, one, one.name) for index, one in enumerate(self.estuary))
