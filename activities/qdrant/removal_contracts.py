"""Steps that remove a cluster of Qdrant Cloud: look at what would be lost, delete it by a grant, forget its keys."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from activities.guard.granted import GrantedRequest
from activities.step import Step
from activities.step_end import ApprovedAnswer
from connectors.qdrant import manifest
from hitl.approval.plan import PlanParameters
from hitl.protocol import Effect, PolicyContext

MOST_TOLD: Final = 10


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class InspectClusterRequest(_Model):
    """Which cluster would go."""

    cluster: str = Field(description="Its name, or its id.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.cluster)


class ClusterInspected(_Model):
    """What would be lost, and what would stay."""

    id: str
    name: str
    phase: str = Field(default="", description="As Qdrant names it, without `CLUSTER_PHASE_`.")
    provider: str = ""
    region: str = ""
    nodes: int = 0
    backups: tuple[str, ...] = Field(default=(), description="The newest ones, each with its moment and status.")
    all_backups: int = Field(default=0, description="How many there are.")


class DeleteClusterParameters(PlanParameters):
    """What people approve."""

    resource: str = Field(description="The cluster's name.")
    cluster: str = Field(description="Its id.")


class ClusterDeleted(ApprovedAnswer):
    """What was done."""

    name: str
    already_gone: bool = Field(default=False, description="Whether somebody had deleted it before.")


class ForgetClusterRequest(_Model):
    """Whose keys to remove from Vault."""

    cluster: str = Field(description="Its name, by which Vault keeps them.")

    def policy_context(self) -> PolicyContext:
        """What the policy may match."""
        return PolicyContext(resource=self.cluster)


class ClusterForgotten(_Model):
    """That Vault has nothing any more that opened it."""

    paths: tuple[str, ...] = Field(description="Where it was, if it was there.")


INSPECT_CLUSTER: Final = Step(
    name="qdrant.inspect_cluster",
    request=InspectClusterRequest,
    response=ClusterInspected,
    effect=Effect.READ,
    credential=manifest.READ,
)
DELETE_CLUSTER: Final = Step(
    name="qdrant.delete_cluster",
    request=GrantedRequest,
    response=ClusterDeleted,
    effect=Effect.DESTRUCTIVE,
    credential=manifest.DELETE,
)
FORGET_CLUSTER: Final = Step(
    name="qdrant.forget_cluster",
    request=ForgetClusterRequest,
    response=ClusterForgotten,
    effect=Effect.WRITE,
    credential=manifest.FORGET,
)
