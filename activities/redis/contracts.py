"""What steps on Redis databases are asked and answer, the same for every provider; each declares steps of its own.

No answer holds anything that opens a database: what does goes to Vault, and the answer names the place.
"""

from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from connectors.provider import Credential
from connectors.redis.models import Found, Price, Wanted
from connectors.redis.rights import Access
from hitl.approval.plan import PlanParameters
from hitl.protocol import Effect, PolicyContext

Asked = TypeVar("Asked", bound=BaseModel)
Answered = TypeVar("Answered", bound=BaseModel)


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
    name: str = Field(default="", description="The database's name, where this goal has made it.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.database)

    def made_by_the_run(self) -> frozenset[str]:
        """Its database's id, where its name is told."""
        return frozenset({"resource"}) if self.name else frozenset()

    def recognised_by(self) -> tuple[str, ...]:
        """Who can do what where."""
        named = (f"database {self.name}",) if self.name else ()
        return (*named, f"consumer {self.consumer}", f"{self.access} {self.prefix}")


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
    name: str = Field(default="", description="The database's name, where this goal has made it.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.database)

    def made_by_the_run(self) -> frozenset[str]:
        """Its database's id, where its name is told."""
        return frozenset({"resource"}) if self.name else frozenset()

    def recognised_by(self) -> tuple[str, ...]:
        """Who can do what where."""
        named = (f"database {self.name}",) if self.name else ()
        return (*named, f"consumer {self.consumer}", f"{self.access} {self.prefix}")


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


class ForgetLoginsRequest(_Model):
    """Whose logins to remove from Vault; `database` is its id."""

    database: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.database)


class LoginsForgotten(_Model):
    """What was removed."""

    consumers: tuple[str, ...] = Field(description="Whose logins lay there.")


class DatabaseSteps(NamedTuple):
    """The steps of one provider. Its `contracts` give each a name there, by which the catalogue finds it."""

    look: Step[LookAtDatabaseRequest, DatabaseSeen]
    price: Step[DatabaseRequest, DatabasePriced]
    create: Step[DatabaseRequest, DatabaseMade]
    purchase: Step[GrantedRequest, DatabaseMade]
    grant: Step[GrantAccessRequest, AccessGranted]
    check: Step[CheckAccessRequest, AccessChecked]
    forget: Step[ForgetLoginsRequest, LoginsForgotten]
    delete: Step[GrantedRequest, DatabaseDeleted]


class DatabaseCredentials(NamedTuple):
    """What each step of one provider is given."""

    read: Credential
    price: Credential
    write: Credential
    purchase: Credential
    grant: Credential
    check: Credential
    forget: Credential
    delete: Credential


def database_steps(provider: str, given: DatabaseCredentials) -> DatabaseSteps:
    """The steps on one provider's databases, declared.

    Args:
        provider: Its name, with which theirs begin.
        given: Their credentials.
    """

    def declared(
        verb: str, request: type[Asked], response: type[Answered], effect: Effect, credential: Credential
    ) -> Step[Asked, Answered]:
        return Step(name=f"{provider}.{verb}", request=request, response=response, effect=effect, credential=credential)

    return DatabaseSteps(
        look=declared("look_at_database", LookAtDatabaseRequest, DatabaseSeen, Effect.READ, given.read),
        price=declared("price_database", DatabaseRequest, DatabasePriced, Effect.READ, given.price),
        create=declared("create_database", DatabaseRequest, DatabaseMade, Effect.WRITE, given.write),
        purchase=declared("purchase_database", GrantedRequest, DatabaseMade, Effect.DESTRUCTIVE, given.purchase),
        grant=declared("grant_access", GrantAccessRequest, AccessGranted, Effect.WRITE, given.grant),
        check=declared("check_access", CheckAccessRequest, AccessChecked, Effect.WRITE, given.check),
        forget=declared("forget_logins", ForgetLoginsRequest, LoginsForgotten, Effect.WRITE, given.forget),
        delete=declared("delete_database", GrantedRequest, DatabaseDeleted, Effect.DESTRUCTIVE, given.delete),
    )
