"""What Redis Cloud's twin answers, with the fields that its provider always has."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

_PER_SHARD = 0.124
_WHEN = "2026-01-01T00:00:00Z"


class Body(BaseModel):
    """The base of all."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class TwinSubscription(Body):
    """What databases are bought in."""

    id: int
    name: str
    status: str = "active"
    number_of_databases: int = 0


class Subscriptions(Body):
    """As the provider answers it."""

    account_id: int = 1001
    subscriptions: list[TwinSubscription]


class Part(Body):
    """As the provider answers it."""

    type: str = "Shards"
    type_details: str = "high-throughput"
    quantity: int
    quantity_measurement: str = "shards"
    price_per_unit: float = _PER_SHARD
    price_currency: str = "USD"
    price_period: str = "hour"


class Pricing(Body):
    """As the provider answers it."""

    pricing: list[Part]


class Response(Body):
    """As the provider answers it."""

    resource_id: int | None = None
    resource: Pricing | None = None
    error: str | None = None


class Task(Body):
    """As the provider answers it."""

    task_id: str
    command_type: str
    status: str
    description: str
    timestamp: str = _WHEN
    response: Response | None = None
    links: list[dict[str, str]] = Field(default_factory=list[dict[str, str]])


class Security(Body):
    """As the provider answers it."""

    enable_default_user: bool = True
    enable_tls: bool = False
    password: str | None = Field(default=None, repr=False)


class Shown(Body):
    """As the provider answers it."""

    database_id: int
    name: str
    protocol: str = "redis"
    provider: str = "AWS"
    region: str = "us-east-1"
    status: str
    dataset_size_in_gb: float
    memory_used_in_mb: float
    data_eviction_policy: str
    public_endpoint: str | None = None
    security: Security


class OfSubscription(Body):
    """As the provider answers it."""

    subscription_id: int
    number_of_databases: int
    databases: list[Shown]


class Databases(Body):
    """As the provider answers it."""

    account_id: int = 1001
    subscription: list[OfSubscription]


class Certificate(Body):
    """As the provider answers it."""

    public_certificate: str = Field(
        serialization_alias="publicCertificatePEMString", alias="publicCertificatePEMString"
    )


class Rule(Body):
    """As the provider answers it."""

    id: int
    name: str
    acl: str
    is_default: bool = False
    status: str = "active"


class Rules(Body):
    """As the provider answers it."""

    account_id: int = 1001
    redis_rules: list[Rule]


class RoleDatabase(Body):
    """As the provider answers it."""

    subscription_id: int
    database_id: int


class RoleRule(Body):
    """As the provider answers it."""

    rule_name: str
    databases: list[RoleDatabase]


class Role(Body):
    """As the provider answers it."""

    id: int
    name: str
    redis_rules: list[RoleRule]
    status: str = "active"


class Roles(Body):
    """As the provider answers it."""

    account_id: int = 1001
    roles: list[Role]


class User(Body):
    """As the provider answers it."""

    id: int
    name: str
    role: str
    status: str = "active"


class Users(Body):
    """As the provider answers it."""

    account_id: int = 1001
    users: list[User]
