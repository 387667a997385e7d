"""Steps on clusters of Qdrant Cloud, as goals ask for them. No key of a database is ever in an answer."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.copies.contracts import CopyStateRequest, copy_step
from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from connectors.qdrant import manifest
from hitl.approval.plan import Cost, PlanParameters
from hitl.protocol import Effect, PolicyContext

_MILLICENTS: Final = 1_000


def cost_of(millicents_per_hour: int) -> Cost:
    """A price at Qdrant Cloud as people and policies read it; a part of a cent is a cent."""
    return Cost(usd_cents=-(-millicents_per_hour // _MILLICENTS), per="hour")


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClusterRequest(_Request):
    """A cluster that is wanted."""

    name: str
    provider: str = Field(description="The cloud, as Qdrant names it.")
    region: str
    package: str = Field(description="Its name, or its id.")
    nodes: int

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name)


class ClusterQuoted(_Answer):
    """What it would cost, and whether it is there already."""

    package_id: str
    package: str = Field(description="Its name.")
    millicents_per_hour: int = Field(description="Thousandths of a US cent, for all nodes.")
    existing: str | None = Field(default=None, description="The id of the one that this goal made before.")


class CreateClusterRequest(_Request):
    """A cluster that the policy may let a goal make by itself, by what it costs; none is made that costs more."""

    name: str
    provider: str
    region: str
    package_id: str
    nodes: int
    millicents_per_hour: int = Field(ge=0, description="The price at most, for all nodes.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name, cost=cost_of(self.millicents_per_hour).in_a_month)


class ClusterMade(ApprovedAnswer):
    """A cluster that is there, or on its way."""

    id: str
    adopted: bool = Field(default=False, description="Whether an earlier try had made it.")


class BuyClusterParameters(PlanParameters):
    """Exactly the cluster that people approve, and the price at most, as `CreateClusterRequest` has it."""

    resource: str = Field(description="The cluster's name.")
    provider: str
    region: str
    package_id: str
    nodes: int
    millicents_per_hour: int


class LookAtClusterRequest(_Request):
    """Which cluster to look at."""

    id: str
    name: str

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name)


class ClusterSeen(_Answer):
    """Where a cluster stands."""

    id: str
    name: str
    phase: str = Field(description="As Qdrant names it, without `CLUSTER_PHASE_`.")
    reason: str = ""
    url: str = ""
    version: str = ""
    package_id: str = ""
    nodes: int = 0
    ours: bool = Field(default=False, description="Whether this goal made it.")


class IssueKeysRequest(_Request):
    """Whose keys to see to."""

    id: str
    name: str
    anew: bool = Field(default=False, description="End what there is of them, and issue others.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name)


class KeysIssued(_Answer):
    """Where they are kept."""

    reader: str = Field(description="Path in Vault of address and key for reading.")
    writer: str = Field(description="Path in Vault of address and key for everything.")
    adopted: bool = Field(default=False, description="Whether one of them was there, so that Vault should hold it.")


class DatabaseRequest(_Request):
    """Which database."""

    cluster: str = Field(description="The cluster's name, by which Vault keeps its keys.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.cluster)


class DatabaseAnswers(_Answer):
    """That it answers to the key that Vault keeps."""

    collections: int


class ScheduleBackupsRequest(_Request):
    """Which backups are wanted."""

    id: str
    name: str
    cron: str
    days: int = Field(description="How long each is kept.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.name)


class BackupsScheduled(_Answer):
    """That they are made."""

    id: str


COPY_STATE: Final = copy_step(manifest.QDRANT.name, manifest.READ, CopyStateRequest)
COPY_DATABASE: Final = copy_step(manifest.QDRANT.name, manifest.SEARCH, CopyStateRequest, what="database")
QUOTE_CLUSTER: Final = Step(
    name="qdrant.quote_cluster",
    request=ClusterRequest,
    response=ClusterQuoted,
    effect=Effect.READ,
    credential=manifest.READ,
)
CREATE_CLUSTER: Final = Step(
    name="qdrant.create_cluster",
    request=CreateClusterRequest,
    response=ClusterMade,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
BUY_CLUSTER: Final = Step(
    name="qdrant.buy_cluster",
    request=GrantedRequest,
    response=ClusterMade,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.BUY,
)
LOOK_AT_CLUSTER: Final = Step(
    name="qdrant.look_at_cluster",
    request=LookAtClusterRequest,
    response=ClusterSeen,
    effect=Effect.READ,
    credential=manifest.READ,
)
ISSUE_KEYS: Final = Step(
    name="qdrant.issue_keys",
    request=IssueKeysRequest,
    response=KeysIssued,
    effect=Effect.WRITE,
    credential=manifest.ISSUE,
)
CHECK_DATABASE: Final = Step(
    name="qdrant.check_database",
    request=DatabaseRequest,
    response=DatabaseAnswers,
    effect=Effect.READ,
    credential=manifest.SEARCH,
)
SCHEDULE_BACKUPS: Final = Step(
    name="qdrant.schedule_backups",
    request=ScheduleBackupsRequest,
    response=BackupsScheduled,
    effect=Effect.WRITE,
    credential=manifest.WRITE,
)
