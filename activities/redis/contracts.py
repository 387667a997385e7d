"""What steps on Redis databases are asked and answer, the same for every provider; each declares steps of its own.

No answer holds anything that opens a database: what does goes to Vault, and the answer names the place.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from connectors.redis.rights import Access
from hitl.approval.plan import PlanParameters
from hitl.protocol import PolicyContext


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LookAtDatabaseRequest(_Model):
    """Which database to look at."""

    database: str = Field(description="Its name, or its id.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.database)


class DatabaseSeen(_Model):
    """A Redis database, without anything that opens it."""

    id: str
    name: str
    state: str = Field(description="`active` when it serves.")
    modifying: str = Field(default="", description="What is being changed of it; empty when nothing is.")
    endpoint: str = ""
    port: int | None = None
    tls: bool | None = None
    primary_region: str = ""
    read_regions: tuple[str, ...] = ()
    plan: str = ""
    budget: int | None = Field(default=None, description="US dollars a month.")
    eviction: bool | None = None
    used_mb: float | None = Field(default=None, description="How much it holds now, where its provider tells.")


class DatabaseRequest(_Model):
    """A database that a goal wants. It carries the goal's mark in its name, whatever the goal says."""

    name: str = Field(description="As people call it.")
    region: str = Field(default="", description="Where it is written; empty where its subscription says so.")
    subscription: str = Field(default="", description="Redis Cloud's, by name or id; empty elsewhere.")
    memory_mb: int = 256
    eviction: bool = True
    most_usd: int = Field(ge=0, description="US dollars that it may cost in a month; none is made that costs more.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name, account=self.subscription or None, cost=self.most_usd)


class DatabasePriced(_Model):
    """What a database would cost."""

    name: str = Field(description="As its provider will show it.")
    usd_cents: int = Field(description="At most in a month.")
    lines: tuple[str, ...] = Field(default=(), description="How that comes about.")


class PurchaseDatabaseParameters(PlanParameters):
    """What people approve where the policy lets no goal buy by itself."""

    resource: str
    account: str
    region: str
    memory_mb: int
    eviction: bool
    most_usd: int


class DatabaseMade(ApprovedAnswer):
    """There is one now."""

    id: str
    name: str
    adopted: bool = Field(default=False, description="Whether an attempt before had made it.")


class GrantAccessRequest(_Model):
    """Who shall be able to do what in a database."""

    database: str = Field(description="Its id.")
    consumer: str
    prefix: str = Field(description="The beginning of its keys.")
    access: Access

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.database)


class AccessGranted(_Model):
    """A consumer's user, and where its password is."""

    user: str
    secret: str = Field(description="In Vault, below `banksman/`.")
    endpoint: str
    port: int
    tls: bool


class CheckAccessRequest(_Model):
    """Whose rights are looked at."""

    database: str = Field(description="Its id.")
    consumer: str
    prefix: str
    access: Access

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.database)


class AccessChecked(_Model):
    """The database answers, and the consumer can do what it should, and nothing else."""

    user: str


class DeleteDatabaseParameters(PlanParameters):
    """What people approve."""

    resource: str
    database: str


class DatabaseDeleted(ApprovedAnswer):
    """What was done."""

    name: str


@dataclass(frozen=True, kw_only=True)
class DatabaseSteps:
    """The steps of one provider."""

    look: Step[LookAtDatabaseRequest, DatabaseSeen]
    price: Step[DatabaseRequest, DatabasePriced]
    create: Step[DatabaseRequest, DatabaseMade]
    purchase: Step[GrantedRequest, DatabaseMade]
    grant: Step[GrantAccessRequest, AccessGranted]
    check: Step[CheckAccessRequest, AccessChecked]
    delete: Step[GrantedRequest, DatabaseDeleted]

    @property
    def all(self) -> tuple[Step[Any, Any], ...]:
        """Each of them."""
        return (self.look, self.price, self.create, self.purchase, self.grant, self.check, self.delete)
