"""What steps on Redis databases are asked and answer, the same for every provider; each declares steps of its own.

No answer holds anything that opens a database: what does goes to Vault, and the answer names the place.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from connectors.redis.models import Found, Price, Wanted
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


class DatabaseSeen(Found):
    """A Redis database, without anything that opens it."""


class DatabaseRequest(Wanted):
    """A database that a goal wants. It carries the goal's mark in its name, whatever the goal says."""

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name, account=self.subscription or None, cost=self.most_usd)


class DatabasePriced(Price):
    """What a database would cost."""

    name: str = Field(description="As its provider will show it.")


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
