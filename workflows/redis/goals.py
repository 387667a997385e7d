"""What people ask for of Redis databases, and how it ended."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connectors.redis.rights import Access
from hitl.protocol import Effect
from workflows.contracts import DestructiveGoalInput, GoalResult
from workflows.goal_type import GoalType

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,21}[a-z0-9]$")]
ConsumerName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,63}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,30}$")]
SubscriptionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 ._-]{0,100}$")]
DatabaseName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$")]


class RedisProvider(StrEnum):
    """Who sells it."""

    UPSTASH = "upstash"
    REDIS_CLOUD = "rediscloud"


class Consumer(BaseModel):
    """Who uses a database, and how far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ConsumerName = Field(description="Of its user.")
    prefix: Prefix = Field(description="The beginning of its keys, as in `session:`. It reaches no other.")
    access: Access = Field(default=Access.WRITE, description="`read`, or `write`, which reads, too.")


class ProvisionRedisInput(DestructiveGoalInput):
    """Have a Redis database at Upstash or Redis Cloud, with a user of its own for each consumer."""

    provider: RedisProvider = Field(description="`upstash` or `rediscloud`.")
    name: Name = Field(description="What it is called; its provider shows it with the goal's mark behind it.")
    region: Region = Field(
        default="", description="Of Upstash: where it is written. At Redis Cloud its subscription's."
    )
    subscription: SubscriptionName = Field(
        default="", description="Of Redis Cloud, by name or id: what it is bought in."
    )
    memory_mb: int = Field(default=256, ge=100, le=102_400, description="Of Redis Cloud: how much it holds.")
    eviction: bool = Field(default=True, description="Whether it forgets keys when it is full, as a cache does.")
    most_usd: int = Field(
        ge=0,
        le=10_000,
        description="US dollars that it may cost in a month. At Upstash its budget, 0 for the free plan; at Redis "
        "Cloud none is made whose price is higher.",
    )
    consumers: tuple[Consumer, ...] = Field(min_length=1, max_length=20, description="Who uses it.")

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.provider is RedisProvider.UPSTASH and not self.region:
            msg = "Upstash asks for a 'region'; write for example eu-west-1"
            raise ValueError(msg)
        if self.provider is RedisProvider.REDIS_CLOUD and not self.subscription:
            msg = "Redis Cloud asks for a 'subscription', by its name or id: databases are bought in one"
            raise ValueError(msg)
        names = [one.name for one in self.consumers]
        if len(set(names)) < len(names):
            msg = "two consumers have one name; each needs a user of its own"
            raise ValueError(msg)
        return self

    def business_key(self) -> str:
        """`provision-redis/PROVIDER/NAME`; in an emergency one of its own."""
        kind = "provision-redis-break-glass" if self.break_glass else "provision-redis"
        return f"{kind}/{self.provider}/{self.name}"

    def reaches(self) -> Mapping[str, str]:
        """The account at this provider."""
        return {self.provider.value: ""}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return (
            f"{'BREAK GLASS: ' if self.break_glass else ''}Provision the Redis database {self.name} at {self.provider}"
        )


class ConsumerGranted(BaseModel):
    """A consumer's user, and where what opens the database for it lies."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="As it was asked for.")
    user: str = Field(description="Of Redis.")
    secret: str = Field(description="In Vault, below `banksman/`: host, port, TLS, user and password.")


class ProvisionRedisResult(GoalResult):
    """What there is now. Nothing that opens it is ever in a history."""

    provider: str = Field(description="As it was asked for.")
    name: str = Field(description="As its provider shows it, or as it was asked for.")
    id: str | None = Field(default=None, description="Its provider's id of it.")
    endpoint: str | None = Field(default=None, description="Its host.")
    port: int | None = Field(default=None, description="Where it listens.")
    tls: bool | None = Field(default=None, description="Whether it takes encrypted connections alone.")
    usd_cents: int | None = Field(default=None, description="What it costs in a month at most.")
    existed: bool | None = Field(default=None, description="Whether it was there before; None where nobody knows.")
    consumers: tuple[ConsumerGranted, ...] = Field(default=(), description="Each tried, and able to do no more.")


class RemoveRedisInput(DestructiveGoalInput):
    """Delete a Redis database with all that it holds, once people approved exactly that."""

    provider: RedisProvider = Field(description="`upstash` or `rediscloud`.")
    database: DatabaseName = Field(description="Its name or its id, as its provider shows them.")

    def business_key(self) -> str:
        """`remove-redis/PROVIDER/DATABASE`; in an emergency one of its own, beside what may wait for days."""
        kind = "remove-redis-break-glass" if self.break_glass else "remove-redis"
        return f"{kind}/{self.provider}/{self.database}"

    def reaches(self) -> Mapping[str, str]:
        """The account at this provider."""
        return {self.provider.value: ""}

    def summary(self) -> str:
        """One line for the Temporal UI's list."""
        return (
            f"{'BREAK GLASS: ' if self.break_glass else ''}Remove the Redis database {self.database} at {self.provider}"
        )


class RemoveRedisResult(GoalResult):
    """What became of it."""

    provider: str = Field(description="As it was asked for.")
    database: str = Field(description="As it was asked for.")
    id: str | None = Field(default=None, description="Its provider's id of it.")
    name: str | None = Field(default=None, description="Its name.")
    forgotten: tuple[str, ...] = Field(default=(), description="Consumers whose logins are no longer in Vault.")


_SELLERS: Final = frozenset(one.value for one in RedisProvider)

PROVISION_REDIS: Final = GoalType(
    name="ProvisionRedis",
    input=ProvisionRedisInput,
    result=ProvisionRedisResult,
    rehearses=_SELLERS,
    effect=Effect.DESTRUCTIVE,
    example=ProvisionRedisInput(
        provider=RedisProvider.UPSTASH,
        name="shop-sessions",
        region="eu-west-1",
        most_usd=10,
        consumers=(Consumer(name="shop-web", prefix="session:"),),
    ),
)
REMOVE_REDIS: Final = GoalType(
    name="RemoveRedis",
    input=RemoveRedisInput,
    result=RemoveRedisResult,
    rehearses=_SELLERS,
    effect=Effect.DESTRUCTIVE,
    example=RemoveRedisInput(provider=RedisProvider.UPSTASH, database="shop-cache"),
)
