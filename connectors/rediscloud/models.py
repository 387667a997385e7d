"""What Redis Cloud is told and answers, as far as it is read. Fields that are not named here are ignored.

Its description leaves most fields of its answers out; they are as its examples and its own clients have them.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr
from pydantic.alias_generators import to_camel


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


def _code(said: JsonValue) -> JsonValue:
    """Its description has a word here, its own clients an object."""
    return said.get("type") if isinstance(said, dict) else said


class PricePart(_Read):
    """One line of a price."""

    type: str = ""
    quantity: int
    quantity_measurement: str = ""
    price_per_unit: float
    price_currency: str
    price_period: str


class Pricing(_Read):
    """What a subscription costs."""

    pricing: tuple[PricePart, ...] = ()


class TaskResponse(_Read):
    """What came of a task."""

    resource_id: int | None = None
    resource: dict[str, JsonValue] | None = Field(default=None, description="Of a dry run: the price.")
    error: Annotated[str | None, BeforeValidator(_code)] = None


class Task(_Read):
    """A change under way."""

    task_id: str
    status: str
    description: str = ""
    response: TaskResponse | None = None


class Subscription(_Read):
    """What databases are bought in."""

    id: int
    name: str = ""
    status: str = ""


class Subscriptions(_Read):
    """All of the account."""

    subscriptions: tuple[Subscription, ...] = ()


class Security(_Read):
    """How a database is opened; its password comes in clear, where one was asked for by id."""

    enable_tls: bool = False
    password: SecretStr | None = None


class Database(_Read):
    """One database."""

    database_id: int
    name: str
    status: str = ""
    region: str = ""
    public_endpoint: str | None = Field(default=None, description="`host:port`, once there is one.")
    memory_used_in_mb: float | None = None
    data_eviction_policy: str = ""
    security: Security = Security()


class DatabasesOfSubscription(_Read):
    """A page of those of one subscription."""

    subscription_id: int
    databases: tuple[Database, ...] = ()


class Databases(_Read):
    """The same, as it is wrapped."""

    subscription: tuple[DatabasesOfSubscription, ...] = ()


class Certificate(_Read):
    """What a database's own certificate is signed with."""

    public_certificate_pem_string: str = Field(alias="publicCertificatePEMString")


class Named(_Read):
    """A rule, a role or a user."""

    id: int
    name: str
    status: str = "active"


class Rule(Named):
    """Rights, in the syntax of Redis."""

    acl: str = ""


class Rules(_Read):
    """All of the account."""

    redis_rules: tuple[Rule, ...] = ()


class Roles(_Read):
    """All of the account."""

    roles: tuple[Named, ...] = ()


class Users(_Read):
    """All of the account."""

    users: tuple[Named, ...] = ()


class NewDatabase(_Sent):
    """A database to be made, or priced."""

    dry_run: bool
    name: str
    dataset_size_in_gb: float
    data_eviction_policy: Literal["allkeys-lru", "noeviction"]
    enable_tls: bool = True


class NewRule(_Sent):
    """Rights, by a name."""

    name: str
    redis_rule: str


class RoleDatabase(_Sent):
    """Where a rule holds."""

    subscription_id: int
    database_id: int


class RoleRule(_Sent):
    """A rule, and where it holds."""

    rule_name: str
    databases: tuple[RoleDatabase, ...]


class NewRole(_Sent):
    """Rules, by a name."""

    name: str
    redis_rules: tuple[RoleRule, ...]


class NewUser(_Sent):
    """Who has a role."""

    name: str
    role: str
    password: str = Field(repr=False)


class ChangedUser(_Sent):
    """What becomes of a user."""

    role: str
    password: str = Field(repr=False)
